use super::*;

/// A document of a forum of NowSMS, with the MAC that was published with it.
const DOCUMENT: &str =
    "030B6A0674657374310045C6560187070683000101C655018707068300018711060374657374315F4E415049440001871006AB018708
     0603746573743200018709068901871401C65A01870C069A01870D060367707273757365726E616D650001870E06036770727370617373
     776F72640001010101";
const IMSI: &str = "123456789012345";

fn document() -> Vec<u8> {
    let digits: String = DOCUMENT.split_whitespace().collect();
    hex_digits(digits.as_bytes()).unwrap()
}

fn secrets(pin: Option<&str>, imsi: Option<&str>) -> Secrets {
    let imsi = imsi.map(|imsi| Imsi::parse(imsi).unwrap());
    Secrets { pin: pin.map(|pin| Pin::parse(pin).unwrap()), network: NetworkSecret::new(None, imsi).unwrap() }
}

fn both() -> Secrets {
    secrets(Some("1234"), Some(IMSI))
}

fn cp(method: Method) -> Sender {
    Sender { profile: Profile::Cp, method, hash: MacHash::Sha1, separated: false }
}

fn verify(profile: Profile, method: Method, mac: &str, secrets: &Secrets) -> Result<(), BootstrapError> {
    Claim { profile, method, mac: Some(mac) }.verify(secrets, &document(), true)
}

#[test]
fn published_macs_are_ours() {
    for (method, mac) in [
        (Method::Network, "C483EC25F7E3E0CF100380DA5F6714CF204A5EC5"),
        (Method::UserPin, "47D644FE45B4E15A7A15ED13C0D5096E8E263D9C"),
        (Method::UserPinNetwork, "295927563A4F8FF3753F8BF0EB1E763BEF785A9A"),
    ] {
        assert_eq!(cp(method).mac(&both(), &document()).as_deref(), Ok(mac), "{method:?}");
        assert_eq!(verify(Profile::Cp, method, &mac.to_lowercase(), &both()), Ok(()), "{method:?}");
    }
    let of_dm = "0CFD4ABC0FF4B754E1D66AB340EBB0ACCA50FB5C";
    assert_eq!(verify(Profile::Cp, Method::UserPinNetwork, of_dm, &both()), Ok(()));
    assert_eq!(verify(Profile::Dm, Method::UserPinNetwork, of_dm, &both()), Ok(()));
}

#[test]
fn what_a_sender_secures_the_receiver_accepts() {
    let document = document();
    let key = NetworkSecret::new(Some(Secret::new(vec![0x80, 1, 2, 3])), None).unwrap();
    for secrets in [both(), Secrets { network: key, ..both() }] {
        for profile in [Profile::Cp, Profile::Dm] {
            for method in [Method::Network, Method::UserPin, Method::UserPinNetwork] {
                for (hash, separated) in
                    [(MacHash::Sha1, false), (MacHash::Sha1, true), (MacHash::Sha256, false)]
                {
                    let sender = Sender { profile, method, hash, separated };
                    let mac = match sender.mac(&secrets, &document) {
                        Err(error) => {
                            assert_eq!((profile, hash), (Profile::Cp, MacHash::Sha256));
                            assert_eq!(error, BootstrapError::Hash);
                            continue;
                        }
                        Ok(mac) => mac,
                    };
                    let claim = Claim { profile, method, mac: Some(&mac) };
                    assert_eq!(claim.verify(&secrets, &document, true), Ok(()), "{sender:?}");
                    assert_eq!(claim.verify(&secrets, &[], true), Err(BootstrapError::Wrong));
                    let mut changed = document.clone();
                    changed[20] ^= 1;
                    assert_eq!(claim.verify(&secrets, &changed, true), Err(BootstrapError::Wrong));
                }
            }
        }
    }
}

#[test]
fn the_forms_of_an_imsi_that_peers_use_are_tried() {
    let document = document();
    for form in ["123456789012345", "6789012345", "789012345"] {
        let key = Secret::new(form.as_bytes().to_vec());
        let mac: String =
            MacHash::Sha256.of(&key, &document).unwrap().iter().map(|o| format!("{o:02x}")).collect();
        assert_eq!(verify(Profile::Dm, Method::Network, &mac, &both()), Ok(()), "{form}");
        let error = verify(Profile::Cp, Method::Network, &mac, &both()).unwrap_err();
        assert_eq!(error, BootstrapError::Hash, "{form}");
    }
}

#[test]
fn check_digits_are_those_of_the_sheet() {
    let pin = Pin::parse("31415").unwrap();
    let whole = with_check_digits(&pin, &document()).unwrap();
    assert_eq!(whole, Pin::parse("3141551424").unwrap());
    let claim = Claim { profile: Profile::Cp, method: Method::UserPinMac, mac: None };
    let verify = |typed: &str| claim.verify(&secrets(Some(typed), None), &document(), false);
    assert_eq!(verify("3141551424"), Ok(()));
    assert_eq!(verify("3141551425"), Err(BootstrapError::Wrong));
    for malformed in ["31415514", "31415514240", "1234"] {
        assert_eq!(verify(malformed), Err(BootstrapError::UserPinMac), "{malformed}");
    }
    let longest = with_check_digits(&Pin::parse("1234567890123456").unwrap(), &document()).unwrap();
    assert_eq!(longest.digits().expose().len(), 32);
    for wrong in ["1234", "12345678901234567"] {
        let made = with_check_digits(&Pin::parse(wrong).unwrap(), &document());
        assert_eq!(made, Err(BootstrapError::HalfPin), "{wrong}");
    }
}

#[test]
fn what_is_missing_or_malformed_is_said() {
    let mac = cp(Method::Network).mac(&both(), &document()).unwrap();
    let no_secrets = Secrets::default();
    assert_eq!(verify(Profile::Cp, Method::Network, &mac, &no_secrets), Err(BootstrapError::NoNetwork));
    assert_eq!(verify(Profile::Cp, Method::UserPin, &mac, &no_secrets), Err(BootstrapError::NoPin));
    assert_eq!(cp(Method::UserPin).mac(&no_secrets, b""), Err(BootstrapError::NoPin));
    assert_eq!(cp(Method::UserPinNetwork).mac(&no_secrets, b""), Err(BootstrapError::NoNetwork));
    let no_network = secrets(Some("1234"), None);
    assert_eq!(cp(Method::UserPinNetwork).mac(&no_network, b""), Err(BootstrapError::NoNetwork));
    assert_eq!(cp(Method::UserPinMac).mac(&both(), b""), Err(BootstrapError::Method));
    assert_eq!(cp(Method::Gba).mac(&both(), b""), Err(BootstrapError::Method));
    for malformed in ["", "00", &mac[1..], &format!("{mac}0"), &mac.replace('C', "G")] {
        let verified = verify(Profile::Cp, Method::Network, malformed, &both());
        assert_eq!(verified, Err(BootstrapError::MacForm), "{malformed}");
    }
    let without = Claim { profile: Profile::Cp, method: Method::Network, mac: None };
    assert_eq!(without.verify(&both(), &document(), true), Err(BootstrapError::NoMac));
    assert_eq!(verify(Profile::Dm, Method::UserPinMac, &mac, &both()), Err(BootstrapError::Method));
    assert_eq!(verify(Profile::Dm, Method::Gba, &mac, &both()), Err(BootstrapError::Method));
}

#[test]
fn sha1_is_allowed_by_name_only_in_the_dm_profile() {
    let sender = Sender { profile: Profile::Dm, ..cp(Method::UserPin) };
    let mac = sender.mac(&both(), &document()).unwrap();
    let claim = Claim { profile: Profile::Dm, method: Method::UserPin, mac: Some(&mac) };
    assert_eq!(claim.verify(&both(), &document(), true), Ok(()));
    assert_eq!(claim.verify(&both(), &document(), false), Err(BootstrapError::Hash));
    let of_cp = Claim { profile: Profile::Cp, ..claim };
    assert_eq!(of_cp.verify(&both(), &document(), false), Ok(()));
}

#[test]
fn names_and_numbers_are_read_back() {
    for profile in [Profile::Cp, Profile::Dm] {
        for method in Method::ALL {
            let Some(name) = method.name(profile) else { continue };
            assert_eq!(Method::parse(profile, &name.to_lowercase()), Some(method));
            if let Some(number) = method.number(profile) {
                assert_eq!(Method::parse(profile, &number.to_string()), Some(method));
            }
        }
        for unknown in ["", "4", "256", "-1", "NONE", "0x1"] {
            assert_eq!(Method::parse(profile, unknown), None, "{unknown}");
        }
    }
    assert_eq!(Method::parse(Profile::Dm, "3"), None);
    assert_eq!(Method::parse(Profile::Cp, "NETWORKID"), None);
}

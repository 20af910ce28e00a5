use super::*;
use crate::header::Challenge;

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn challenges(value: &str) -> Vec<Challenge> {
    Challenge::read_all(value).unwrap()
}

/// `Authorization` of `RFC 7616 §3.9.1` but for algorithm and response.
fn mufasa(algorithm: &str, response: &str) -> String {
    format!(
        "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", algorithm={algorithm}, \
         nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
         cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, response=\"{response}\", \
         opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
    )
}

fn key(given: &Given, password: &str) -> Secret {
    user_key(given.algorithm.hash, &given.user, &given.realm, &secret(password))
}

#[test]
fn the_examples_of_the_standards_are_right() {
    // RFC 2617 §3.5, which leaves the algorithm to the default.
    let old = "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
        uri=\"/dir/index.html\", qop=auth, nc=00000001, cnonce=\"0a4f113b\", \
        response=\"6629fae49393a05397450978507c4ef1\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
    // RFC 7616 §3.9.1, and §3.9.2 with the response of its erratum 4897.
    let md5 = mufasa("MD5", "8ca523f5e9506fed4657c9700eebdbec");
    let sha256 = mufasa("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    let sha512 = "Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, realm=\"api@example.org\", uri=\"/doe.json\", \
        algorithm=SHA-512-256, nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", nc=00000001, \
        cnonce=\"NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v\", qop=auth, \
        response=\"3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5\", \
        opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", userhash=false";
    for (value, password) in [
        (old, "Circle Of Life"),
        (md5.as_str(), "Circle of Life"),
        (sha256.as_str(), "Circle of Life"),
        (sha512, "Secret, or not?"),
    ] {
        let given = Given::from_header(value).unwrap();
        assert!(given.matches(&key(&given, password), "GET", b""), "{value}");
        assert!(!given.matches(&key(&given, "circle of life"), "GET", b""), "{value}");
        assert!(!given.matches(&key(&given, password), "POST", b""), "{value}");
    }
}

#[test]
fn what_the_client_answers_the_server_takes() {
    for hash in Hash::ALL {
        for session in ["", "-sess"] {
            for (qop, whole) in
                [("auth", true), ("auth-int", false), ("auth,auth-int", true), ("auth, auth-int", false)]
            {
                let value = format!(
                    "Digest realm=\"a \\\"b\\\"\", nonce=\"n/1\", qop=\"{qop}\", algorithm={}{session}, opaque=\"o\"",
                    hash.name()
                );
                let user = ("ünï \"x\"", &secret("s3cret"));
                let mut answers =
                    Answers::to(&challenges(&value), user, &[hash], whole, "cn".into()).unwrap();
                for count in 1..=3 {
                    let given = Given::from_header(&answers.authorize("POST", "/a?b=\"c", b"body")).unwrap();
                    let key = key(&given, "s3cret");
                    assert_eq!((given.user.as_str(), given.count), ("ünï \"x\"", count));
                    assert!(given.matches(&key, "POST", b"body") && given.is_for("/a?b=\"c"), "{value}");
                    assert_eq!(given.matches(&key, "POST", b"bodY"), given.qop == Qop::Auth, "{value}");
                    let info = given.info(&key, b"reply", None);
                    assert_eq!(answers.check(&info, b"reply"), Ok(()), "{value}");
                    let forged = given.info(&super::user_key(hash, "x", "y", &secret("z")), b"reply", None);
                    assert_eq!(answers.check(&forged, b"reply"), Err(Untrusted), "{value}");
                }
            }
        }
    }
}

#[test]
fn the_next_nonce_begins_a_new_count() {
    let offered = challenge("omadm", Hash::Sha256, "first", false);
    let user = ("device", &secret("s3cret"));
    let mut answers = Answers::to(&challenges(&offered), user, &Hash::ALL, false, "cn".into()).unwrap();
    let given = Given::from_header(&answers.authorize("GET", "/", b"")).unwrap();
    let info = given.info(&key(&given, "s3cret"), b"", Some("second"));
    assert_eq!(answers.check(&info, b""), Ok(()));
    let given = Given::from_header(&answers.authorize("GET", "/", b"")).unwrap();
    assert_eq!((given.nonce.as_str(), given.count), ("second", 1));
    assert!(given.matches(&key(&given, "s3cret"), "GET", b""));
    assert_eq!(answers.check("nextnonce=\"third\"", b""), Ok(()), "a proof is not required");
    assert_eq!(answers.check("rspauth", b""), Err(Untrusted));
}

#[test]
fn the_strongest_allowed_challenge_is_answered() {
    let user = ("device", &secret("s3cret"));
    let offered = "Digest realm=r, nonce=md5, qop=auth, Digest realm=r, nonce=sha, qop=auth, algorithm=sha-256, \
        Digest realm=r, nonce=long, qop=auth, algorithm=SHA-512-256, Digest realm=r, nonce=new, qop=auth, algorithm=SHA3, \
        Digest realm=r, nonce=odd, qop=auth-conf, algorithm=SHA-256, Basic realm=r";
    let chosen = |allowed: &[Hash]| {
        let mut answers = Answers::to(&challenges(offered), user, allowed, false, "c".into())?;
        Given::from_header(&answers.authorize("GET", "/", b"")).map(|given| given.nonce)
    };
    assert_eq!(chosen(&Hash::ALL).as_deref(), Some("sha"));
    assert_eq!(chosen(&[Hash::Sha512_256, Hash::Sha256]).as_deref(), Some("long"));
    assert_eq!(chosen(&[Hash::Md5]).as_deref(), Some("md5"));
    assert_eq!(chosen(&[]), None);
    for unusable in [
        "Digest nonce=n, qop=auth, algorithm=MD5",
        "Digest realm=r, qop=auth",
        "Digest realm=r, nonce=n",
        "Basic realm=r",
    ] {
        assert!(
            Answers::to(&challenges(unusable), user, &Hash::ALL, true, "c".into()).is_none(),
            "{unusable}"
        );
    }
    assert!(Answers::is_only_stale(&challenges("Digest realm=r, stale=TRUE")));
    assert!(!Answers::is_only_stale(&challenges("Digest realm=r, stale=false, Basic stale=true")));
}

#[test]
fn what_is_not_complete_is_no_answer() {
    let good = mufasa("MD5", "0");
    assert!(Given::from_header(&good).is_some());
    for (part, instead) in [
        ("Digest ", "Basic "),
        ("username=\"Mufasa\", ", ""),
        ("username=\"Mufasa\"", "username=\"a:b\""),
        ("username=\"Mufasa\"", "username=\"a\", username*=UTF-8''a"),
        ("username=\"Mufasa\"", "username*=ISO-8859-1''a"),
        ("username=\"Mufasa\"", "username*=UTF-8''%FF"),
        ("algorithm=MD5", "algorithm=SHA"),
        ("algorithm=MD5", "userhash=true"),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=0000000g"),
        ("nc=00000001, ", ""),
        ("qop=auth", "qop=auth-conf"),
        (", qop=auth", ""),
        ("response=", "rsp="),
        ("uri=", "url="),
    ] {
        let bad = good.replace(part, instead);
        assert_ne!(bad, good, "{part}");
        assert_eq!(Given::from_header(&bad), None, "{bad}");
    }
}

#[test]
fn the_target_may_be_written_in_full() {
    let given = |uri: &str| {
        let value = mufasa("MD5", "0").replace("/dir/index.html", uri);
        Given::from_header(&value).unwrap()
    };
    assert!(given("/a?b").is_for("/a?b"));
    assert!(given("https://dm.example.org:8443/a?b").is_for("/a?b"));
    assert!(given("https://dm.example.org").is_for("/"));
    for other in ["/a", "https://dm.example.org/a", "*", ""] {
        assert!(!given(other).is_for("/a?b"), "{other}");
    }
}

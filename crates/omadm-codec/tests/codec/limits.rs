//! Limits of the JSON decoders.

use omadm_codec::dm2::{Initiation, Request, Response, mo_data};
use omadm_codec::{Leniency, Limits, Problem};

/// Every JSON decoder, and an input around which hostile members can be put.
type Decoder = fn(&[u8], &Limits) -> Result<(), Problem>;

const DECODERS: [(&str, &str, Decoder); 4] = [
    ("{}", "{\"x\":@}", |input, limits| {
        Initiation::decode(input, limits, &mut Leniency::lenient()).map(drop).map_err(|error| error.problem)
    }),
    ("{\"CMD\":[]}", "{\"CMD\":[@]}", |input, limits| {
        Request::decode(input, limits, &mut Leniency::lenient(), &|_| false)
            .map(drop)
            .map_err(|error| error.problem)
    }),
    ("{\"Status\":[]}", "{\"Status\":[],\"Alert\":[{\"AlertType\":\"a\",\"Data\":@}]}", |input, limits| {
        Response::decode(input, limits, &mut Leniency::lenient()).map(drop).map_err(|error| error.problem)
    }),
    ("[]", "[{\"ClientURI\":\"a\",\"MOData\":{\"x\":@}}]", |input, limits| {
        mo_data::decode(input, limits, &mut Leniency::lenient()).map(drop).map_err(|error| error.problem)
    }),
];

/// Objects and arrays in turn inside each other.
fn nested(levels: usize, open: &str, close: &str) -> String {
    format!("{}1{}", open.repeat(levels), close.repeat(levels))
}

#[test]
fn octets_are_counted_before_anything_is_read() {
    for (empty, _, decode) in DECODERS {
        let limits = Limits { bytes: empty.len(), ..Limits::default() };
        assert_eq!(decode(empty.as_bytes(), &limits), Ok(()), "{empty}");
        let longer = format!("{empty} ");
        assert_eq!(decode(longer.as_bytes(), &limits), Err(Problem::TooLarge { limit: empty.len() }));
    }
}

#[test]
fn nesting_is_counted_in_what_is_read_and_in_what_is_skipped() {
    for (_, frame, decode) in DECODERS {
        let depth = |levels| {
            let input = frame.replace('@', &nested(levels, "{\"a\":", "}"));
            decode(input.as_bytes(), &Limits::default())
        };
        // How much of what stands around it counts, too, is up to the format.
        let deepest = (1..40).take_while(|levels| depth(*levels) == Ok(())).count();
        assert!((28..=32).contains(&deepest), "{frame}: {deepest}");
        assert_eq!(depth(deepest + 1), Err(Problem::TooDeep { limit: 32 }), "{frame}");
    }
}

#[test]
fn no_limit_lets_the_stack_run_out() {
    let limits = Limits { bytes: usize::MAX, depth: usize::MAX, items: usize::MAX };
    for (_, frame, decode) in DECODERS {
        for (open, close) in [("{\"a\":", "}"), ("[", "]")] {
            let input = frame.replace('@', &nested(200_000, open, close));
            let problem = decode(input.as_bytes(), &limits).unwrap_err();
            let refused = matches!(problem, Problem::TooDeep { limit: 120 } | Problem::Schema(_));
            assert!(refused, "{frame} {open}: {problem}");
        }
    }
}

#[test]
fn members_and_elements_are_counted() {
    let limits = Limits { items: 50, ..Limits::default() };
    let members = (0..60).map(|n| format!("\"m{n}\":1")).collect::<Vec<_>>().join(",");
    for (empty, frame, decode) in DECODERS {
        assert_eq!(decode(empty.as_bytes(), &limits), Ok(()));
        let input = frame.replace('@', &format!("{{{members}}}"));
        assert_eq!(decode(input.as_bytes(), &limits), Err(Problem::TooMany { limit: 50 }), "{frame}");
        let read = |items| decode(input.as_bytes(), &Limits { items, ..Limits::default() });
        let needed = (60..70).find(|items| read(*items).is_ok()).unwrap();
        assert_eq!(read(needed - 1), Err(Problem::TooMany { limit: needed - 1 }), "{frame}");
    }
    for (input, decode) in [
        ("{\"x\":[@]}", DECODERS[0].2),
        ("{\"CMD\":[@]}", DECODERS[1].2),
        ("{\"Status\":[@]}", DECODERS[2].2),
    ] {
        let input = input.replace('@', &vec!["200"; 60].join(","));
        assert_eq!(decode(input.as_bytes(), &limits), Err(Problem::TooMany { limit: 50 }), "{input}");
    }
}

#[test]
fn errors_in_later_lines_have_their_offset() {
    let input = "{\n \"Status\": [\n  {\"sc\": 200},\n  {\"sc\": \"é\", \"URI\": []}\n ]\n}";
    let error = Response::decode(input.as_bytes(), &Limits::default(), &mut Leniency::lenient()).unwrap_err();
    assert_eq!((error.at, error.field), (input.find("é\"").unwrap() + 2, "sc"));
    let marked = format!("\u{feff}{input}");
    let error =
        Response::decode(marked.as_bytes(), &Limits::default(), &mut Leniency::lenient()).unwrap_err();
    assert_eq!(error.at, marked.find("é\"").unwrap() + 2);
}

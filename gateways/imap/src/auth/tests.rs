use super::*;

fn claim(mechanism: &str, response: &str) -> Option<(String, String, Option<String>)> {
    let mut mechanism = Mechanism::new(mechanism).unwrap();
    let Step::Claim(claim) = mechanism.step(Some(Zeroizing::new(response.as_bytes().to_vec()))) else {
        return None;
    };
    let named = claim.named;
    Some(match claim.proof {
        Proof::Password { username, password } => (username, password.to_string(), named),
        Proof::Bearer(token) => (String::new(), token.to_string(), named),
        _ => panic!("another proof"),
    })
}

#[test]
fn examples() {
    let known = |user: &str, secret: &str, named: Option<&str>| {
        Some((user.to_owned(), secret.to_owned(), named.map(str::to_owned)))
    };
    let table = [
        // RFC 4616 §4.
        ("PLAIN", "\0tim\0tanstaaftanstaaf", known("tim", "tanstaaftanstaaf", None)),
        ("PLAIN", "tim\0tim\0x", known("tim", "x", None)),
        ("PLAIN", "Ursel\0Kurt\0xipj3plmq", None),
        ("PLAIN", "\0tim", None),
        ("PLAIN", "\0tim\0x\0", None),
        // RFC 7628 §4.1.
        (
            "OAUTHBEARER",
            "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2\x01\x01",
            known("", "vF9dft4qmTc2", Some("user@example.com")),
        ),
        ("OAUTHBEARER", "n,a=a=2Cb=3Dc,\x01auth=Bearer x\x01\x01", known("", "x", Some("a,b=c"))),
        ("OAUTHBEARER", "y,,\x01auth=bearer x\x01\x01", known("", "x", None)),
        ("OAUTHBEARER", "p=tls-unique,,\x01auth=Bearer x\x01\x01", None),
        ("OAUTHBEARER", "n,,\x01auth=\x01\x01", None),
        ("OAUTHBEARER", "n,,\x01auth=Basic x\x01\x01", None),
        ("XOAUTH2", "user=me@x\x01auth=Bearer ya29\x01\x01", known("", "ya29", Some("me@x"))),
        ("XOAUTH2", "user=me@x\x01\x01", None),
    ];
    for (mechanism, response, wanted) in table {
        assert_eq!(claim(mechanism, response), wanted, "{response:?}");
    }
}

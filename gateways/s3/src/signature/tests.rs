use http::HeaderMap;

use super::*;

const GOOD: &str = "AWS4-HMAC-SHA256 Credential=AKID/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;x-amz-date, \
                    Signature=abc";

fn claim(authorization: &[&str], query: &str) -> Result<Option<Claim>, String> {
    let mut headers = HeaderMap::new();
    for value in authorization {
        headers.append(AUTHORIZATION, value.parse().unwrap());
    }
    let query = Query::parse(Some(query)).unwrap();
    parse_claim(&headers, &query).map_err(|failure| failure.code.into_owned())
}

#[test]
fn what_a_request_says_of_its_signature() {
    let found = claim(&[GOOD], "").unwrap().unwrap();
    assert_eq!(found.access_key, "AKID");
    assert_eq!(found.scope, "20130524/us-east-1/s3/aws4_request");
    assert_eq!(found.signed_headers, ["host", "x-amz-date"]);
    assert_eq!((found.signature.as_str(), found.presigned), ("abc", false));
    assert_eq!(claim(&[], "prefix=a"), Ok(None));
    let presigned = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20130524%2Feu%2Fs3%2Faws4_request\
                     &X-Amz-Date=20130524T000000Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=abc";
    let found = claim(&[], presigned).unwrap().unwrap();
    assert!(found.presigned && found.scope == "20130524/eu/s3/aws4_request");
    for expires in ["604801", "0", "-7", "soon", "99999999999999999999"] {
        let query = presigned.replace("=604800", &format!("={expires}"));
        assert_eq!(claim(&[], &query), Err("AuthorizationQueryParametersError".into()), "{expires}");
    }
    for name in ["X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"]
    {
        let query = presigned.replace(name, "X-Other");
        assert_eq!(claim(&[], &query), Err("AuthorizationQueryParametersError".into()), "{name}");
    }
}

#[test]
fn other_ways_are_refused_by_name() {
    let table: [(&[&str], &str, &str); 12] = [
        (&["AWS AKID:signature"], "", "InvalidRequest"),
        (&[], "AWSAccessKeyId=AKID&Expires=1&Signature=x", "InvalidRequest"),
        (&["Basic eDp5"], "", "InvalidArgument"),
        (&["Bearer x"], "", "InvalidArgument"),
        (&["FAKE-HMAC x"], "", "InvalidArgument"),
        (&[""], "", "InvalidArgument"),
        (&["AWS4-ECDSA-P256-SHA256 Credential=a"], "", "NotImplemented"),
        (&[GOOD, GOOD], "", "InvalidArgument"),
        (&[GOOD], "X-Amz-Signature=x", "InvalidArgument"),
        (&["AWS4-HMAC-SHA256 Credential=AKID/d/r/s3/aws4_request"], "", "AuthorizationHeaderMalformed"),
        (
            &["AWS4-HMAC-SHA256 Credential=AKID,SignedHeaders=a,Signature=b"],
            "",
            "AuthorizationHeaderMalformed",
        ),
        (
            &["AWS4-HMAC-SHA256 Credential=A/d/r/sts/aws4_request,SignedHeaders=a,Signature=b"],
            "",
            "InvalidRequest",
        ),
    ];
    for (authorization, query, code) in table {
        assert_eq!(claim(authorization, query), Err(code.to_owned()), "{authorization:?} {query}");
    }
}

fn head(pairs: &[(&'static str, &str)]) -> Parts {
    let mut request = Request::new(());
    for (name, value) in pairs {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    request.into_parts().0
}

#[test]
fn headers_of_s3_must_be_signed() {
    let claim = claim(&[GOOD], "").unwrap().unwrap();
    let check = |pairs: &[(&'static str, &str)]| {
        check_signed_headers(&head(pairs), &claim).map_err(|failure| failure.code.into_owned())
    };
    assert_eq!(check(&[("x-amz-date", "x"), ("range", "x")]), Ok(()));
    assert_eq!(check(&[("x-amz-copy-source", "b/k")]), Err("AccessDenied".into()));
    assert_eq!(check(&[("x-amz-content-sha256", "x")]), Err("AccessDenied".into()));
    let presigned = Claim { presigned: true, ..claim.clone() };
    assert!(check_signed_headers(&head(&[("x-amz-content-sha256", "x")]), &presigned).is_ok());
    let unsigned = Claim { signed_headers: vec!["date".into()], ..claim };
    assert!(check_signed_headers(&head(&[]), &unsigned).is_err());
}

#[test]
fn times_of_signing() {
    let claim = claim(&[GOOD], "").unwrap().unwrap();
    let time = |pairs: &[(&'static str, &str)]| {
        request_time(&head(pairs), &claim).map_err(|failure| failure.code.into_owned())
    };
    let wanted = Ok(Some("20130524T000000Z".to_owned()));
    assert_eq!(time(&[("x-amz-date", "20130524T000000Z"), ("date", "x")]), wanted);
    assert_eq!(time(&[("date", "Fri, 24 May 2013 00:00:00 GMT")]), wanted);
    assert_eq!(time(&[("date", "Fri, 24 May 2013 00:00:00 -0000")]), wanted);
    assert_eq!(time(&[("date", "20130524T000000Z")]), wanted);
    for pairs in [&[][..], &[("x-amz-date", "yesterday")], &[("date", "yesterday")], &[("x-amz-date", "")]] {
        assert_eq!(time(pairs), Err("AccessDenied".into()), "{pairs:?}");
    }
}

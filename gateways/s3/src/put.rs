//! PutObject: a stream into an object, compared with what it claims before anybody can see it.

use allod_core::PutOptions;
use allod_kit::ResponseBody;
use http::{Response, StatusCode};

use crate::answer::empty;
use crate::condition;
use crate::error::{Answer, Doing, Failure};
use crate::facts::{self, facts_of, identify_written, lock_failure, show_checksum};
use crate::handle::{Call, if_match_failure};

/// PutObject. Core refuses what can be refused before it asks for the first byte, so a client that waits for
/// `100 Continue` never sends in vain.
pub(crate) async fn handle(call: &mut Call) -> Answer {
    let path = call.path()?;
    let precondition = condition::parse_write(call.headers())?;
    let (media_type, object) = facts::parse(call.headers())?;
    let (content, claims) = call.content()?;
    let asked = object.clone();
    let options = put_options(media_type, object, claims.length);
    let outcome = content.outcome();
    let judged = outcome.clone();
    let at_end = move |arrived: &allod_core::Arrived, object: &mut allod_core::Object| {
        let Some(taken) = judged.taken() else {
            return Err(judged.fail(Failure::request("the body did not end")));
        };
        let checksum = claims.judge(arrived, taken).map_err(|failure| judged.fail(failure))?;
        object.checksum = Some(checksum);
        Ok(())
    };
    let written = call.session.put_object(&path, options, precondition.clone(), content, at_end).await;
    match written {
        Ok(written) => respond(&written.node),
        Err(error) => {
            let failure = outcome.explain(error, Doing::Object);
            let failure = lock_failure(failure, &asked, call.shared.core.now());
            Err(if_match_failure(call, &path, &precondition, failure).await)
        }
    }
}

/// How an object is written.
pub(crate) fn put_options(
    media_type: Option<String>,
    object: allod_core::Object,
    length: Option<u64>,
) -> PutOptions {
    PutOptions {
        media_type,
        length,
        make_parents: true,
        raw: true,
        md5: true,
        object,
        ..PutOptions::default()
    }
}

/// The answer to a write.
fn respond(node: &allod_core::Node) -> Result<Response<ResponseBody>, Failure> {
    let facts = facts_of(node)?;
    let mut response = empty(StatusCode::OK);
    identify_written(response.headers_mut(), facts);
    show_checksum(response.headers_mut(), &facts.object);
    Ok(response)
}

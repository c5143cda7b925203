//! Settings of buckets: versions, and those to which there is but one honest answer here.

use allod_core::{BucketSettings, Node, Versioning};
use allod_model::{Error, ErrorKind, Precondition, Rights};
use http::StatusCode;
use s3s::dto::{
    AccessControlPolicy, OwnershipControls, PublicAccessBlockConfiguration, RequestPaymentConfiguration,
    ServerSideEncryptionConfiguration, VersioningConfiguration,
};

use crate::answer::{document, empty};
use crate::error::{Answer, Code, Failure};
use crate::get::version_asked;
use crate::handle::{Call, bucket_failure, object_failure};
use crate::place::PUBLIC_BUCKET;
use crate::refusals::no_acls;
use crate::route::Setting;
use crate::xml::{Xml, read};

/// The region whose name GetBucketLocation leaves out.
pub(crate) const UNNAMED_REGION: &str = "us-east-1";

/// Under what name a public access block is kept.
const PUBLIC_BLOCK: &str = "public-access-block";

/// Reads a setting.
pub(crate) async fn get(call: &mut Call, setting: Setting) -> Answer {
    let bucket = call.session.bucket(&call.bucket()?).await.map_err(bucket_failure)?;
    let is_public = bucket.name.as_str() == PUBLIC_BUCKET;
    let none = |code, message: &'static str| Err(Failure::new(code, message));
    let mut xml = match setting {
        Setting::Acl => return Ok(document(acl(call, false))),
        Setting::Accelerate => Xml::new("AccelerateConfiguration"),
        Setting::Logging => Xml::new("BucketLoggingStatus"),
        Setting::Notification => Xml::new("NotificationConfiguration"),
        Setting::Location => Xml::new("LocationConstraint"),
        Setting::Encryption => Xml::new("ServerSideEncryptionConfiguration"),
        Setting::OwnershipControls => Xml::new("OwnershipControls"),
        Setting::PolicyStatus => Xml::new("PolicyStatus"),
        Setting::RequestPayment => Xml::new("RequestPaymentConfiguration"),
        Setting::Versioning => Xml::new("VersioningConfiguration"),
        Setting::PublicAccessBlock => return public_block(&bucket.settings),
        Setting::Policy => return none(Code::NO_POLICY, "The bucket policy does not exist"),
        Setting::Replication => {
            return none(Code::NO_REPLICATION, "The replication configuration was not found");
        }
        Setting::Website => {
            return none(Code::NO_WEBSITE, "The specified bucket does not have a website configuration");
        }
        // Answered elsewhere.
        Setting::Cors | Setting::Lifecycle | Setting::ObjectLock | Setting::Tagging => {
            return Err(Failure::not_implemented("This setting is not implemented"));
        }
    };
    match setting {
        Setting::Location if call.shared.region != UNNAMED_REGION => {
            xml.raw_text(&call.shared.region);
        }
        Setting::Encryption => {
            xml.open("Rule")
                .open("ApplyServerSideEncryptionByDefault")
                .plain("SSEAlgorithm", "AES256")
                .close();
            xml.plain("BucketKeyEnabled", false);
        }
        Setting::OwnershipControls => {
            xml.open("Rule").plain("ObjectOwnership", "BucketOwnerEnforced");
        }
        Setting::PolicyStatus => {
            xml.plain("IsPublic", is_public);
        }
        Setting::RequestPayment => {
            xml.plain("Payer", "BucketOwner");
        }
        Setting::Versioning => match bucket.settings.versioning {
            Versioning::Off => {}
            Versioning::Enabled => {
                xml.plain("Status", "Enabled");
            }
            Versioning::Suspended => {
                xml.plain("Status", "Suspended");
            }
        },
        _ => {}
    }
    Ok(document(xml))
}

/// Writes a setting: versions, or one that says what is so anyway.
pub(crate) async fn put(call: &mut Call, setting: Setting) -> Answer {
    let body = call.document().await?;
    match setting {
        Setting::Versioning => return put_versioning(call, &body).await,
        Setting::PublicAccessBlock => return put_public_block(call, &body).await,
        Setting::Acl => check_acl(call, &body)?,
        Setting::Encryption => check_encryption(&body)?,
        Setting::OwnershipControls => {
            let controls: OwnershipControls = read(&body)?;
            if !controls.rules.iter().all(|rule| rule.object_ownership.as_str() == "BucketOwnerEnforced") {
                return Err(no_acls());
            }
        }
        Setting::RequestPayment => {
            let payment: RequestPaymentConfiguration = read(&body)?;
            if payment.payer.as_str() != "BucketOwner" {
                return Err(Failure::not_implemented("Requesters do not pay here"));
            }
        }
        _ => return Err(Failure::not_implemented("This setting of a bucket is not implemented")),
    }
    touch(call).await?;
    Ok(empty(StatusCode::OK))
}

/// Removes a setting, mostly one that was never there.
pub(crate) async fn delete(call: &mut Call, setting: Setting) -> Answer {
    match setting {
        Setting::PublicAccessBlock => set_public_block(call, None).await?,
        _ => touch(call).await?,
    }
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Nothing is to be changed, but who may not change anything is told so.
async fn touch(call: &Call) -> Result<(), Failure> {
    call.session.change_bucket(&call.bucket()?, |_| Ok(())).await.map_err(bucket_failure)
}

/// The elements of a public access block.
const BLOCKS: [&str; 4] =
    ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];

/// What the client asked to be blocked. All of it is blocked in any case: there are neither lists nor policies.
fn public_block(settings: &BucketSettings) -> Answer {
    let kept = settings.documents.iter().find(|(name, _)| name == PUBLIC_BLOCK);
    let Some((_, flags)) = kept else {
        let message = "The public access block configuration was not found";
        return Err(Failure::new(Code::NO_PUBLIC_BLOCK, message));
    };
    let mut xml = Xml::new("PublicAccessBlockConfiguration");
    for (name, flag) in BLOCKS.into_iter().zip(flags.chars()) {
        xml.plain(name, flag == '1');
    }
    Ok(document(xml))
}

async fn put_public_block(call: &Call, body: &[u8]) -> Answer {
    let block: PublicAccessBlockConfiguration = read(body)?;
    let flags = [
        block.block_public_acls,
        block.ignore_public_acls,
        block.block_public_policy,
        block.restrict_public_buckets,
    ];
    if call.place.bucket() == Some(PUBLIC_BUCKET) && flags.contains(&Some(true)) {
        return Err(Failure::not_implemented(
            "What is below 'public' may be read by anybody: use another bucket",
        ));
    }
    let flags = flags.map(|flag| if flag == Some(true) { '1' } else { '0' });
    set_public_block(call, Some(flags.into_iter().collect())).await?;
    Ok(empty(StatusCode::OK))
}

async fn set_public_block(call: &Call, flags: Option<String>) -> Result<(), Failure> {
    let change = move |settings: &mut BucketSettings| {
        settings.documents.retain(|(name, _)| name != PUBLIC_BLOCK);
        settings.documents.extend(flags.clone().map(|flags| (PUBLIC_BLOCK.to_owned(), flags)));
        Ok(())
    };
    call.session.change_bucket(&call.bucket()?, change).await.map_err(bucket_failure)
}

async fn put_versioning(call: &Call, body: &[u8]) -> Answer {
    let configuration: VersioningConfiguration = read(body)?;
    if configuration.mfa_delete.as_ref().is_some_and(|mfa| mfa.as_str() != "Disabled") {
        return Err(Failure::not_implemented("MFA delete is not implemented: use object lock"));
    }
    let versioning = match configuration.status.as_ref().map(|status| status.as_str()) {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        _ => {
            let message = "The Versioning element must be specified: Enabled or Suspended";
            return Err(Failure::new(Code::ILLEGAL_VERSIONING, message));
        }
    };
    let refused = Error::new(ErrorKind::WrongKind, "object lock needs versions");
    let change = move |settings: &mut allod_core::BucketSettings| {
        if settings.object_lock.is_some() && versioning != Versioning::Enabled {
            return Err(refused.clone());
        }
        settings.versioning = versioning;
        Ok(())
    };
    let changed = call.session.change_bucket(&call.bucket()?, change).await;
    changed.map_err(|error| match error.kind {
        ErrorKind::WrongKind => Failure::new(
            Code::INVALID_BUCKET_STATE,
            "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
        ),
        _ => bucket_failure(error),
    })?;
    Ok(empty(StatusCode::OK))
}

fn check_encryption(body: &[u8]) -> Result<(), Failure> {
    let configuration: ServerSideEncryptionConfiguration = read(body)?;
    for rule in &configuration.rules {
        let default = rule.apply_server_side_encryption_by_default.as_ref();
        if default.is_some_and(|default| default.sse_algorithm.as_str() != "AES256") {
            return Err(Failure::not_implemented("Encryption by KMS is not implemented: use AES256"));
        }
    }
    Ok(())
}

/// GetObjectAcl.
pub(crate) async fn get_object_acl(call: &mut Call) -> Answer {
    stat(call).await?;
    let is_public = call.place.bucket() == Some(PUBLIC_BUCKET);
    Ok(document(acl(call, is_public)))
}

/// PutObjectAcl: accepted when it says what is so anyway.
pub(crate) async fn put_object_acl(call: &mut Call) -> Answer {
    let body = call.document().await?;
    let node = stat(call).await?;
    if node.rights.is_some_and(|rights| rights < Rights::Write) {
        return Err(Failure::denied());
    }
    check_acl(call, &body)?;
    Ok(empty(StatusCode::OK))
}

async fn stat(call: &Call) -> Result<Node, Failure> {
    let version = version_asked(call)?;
    let node = call.session.stat_object(&call.path()?, version, &Precondition::default()).await;
    node.map_err(object_failure)
}

/// The one access control list there is: the owner has everything; what is below `public`, all may read.
fn acl(call: &Call, is_public: bool) -> Xml {
    let (owner, name) = (call.owner(), call.session.account());
    let mut xml = Xml::new("AccessControlPolicy");
    xml.open("Owner").text("ID", &owner).text("DisplayName", &name).close();
    xml.open("AccessControlList").open("Grant").open_typed("Grantee", "CanonicalUser");
    xml.text("ID", &owner).text("DisplayName", &name).close().plain("Permission", "FULL_CONTROL").close();
    if is_public {
        xml.open("Grant").open_typed("Grantee", "Group");
        xml.plain("URI", "http://acs.amazonaws.com/groups/global/AllUsers").close();
        xml.plain("Permission", "READ").close();
    }
    xml
}

/// A list in the body may only say what is so anyway.
fn check_acl(call: &Call, body: &[u8]) -> Result<(), Failure> {
    if body.is_empty() {
        return match call.header("x-amz-acl") {
            Some(_) => Ok(()),
            None => Err(Failure::new(Code::MISSING_BODY, "Request Body is empty")),
        };
    }
    let policy: AccessControlPolicy = read(body)?;
    let owner = call.owner();
    let grants = policy.grants.unwrap_or_default();
    let so_anyway = grants.iter().all(|grant| {
        let is_owner = grant.grantee.as_ref().is_some_and(|who| who.id.as_deref() == Some(owner.as_str()));
        is_owner && grant.permission.as_ref().is_some_and(|may| may.as_str() == "FULL_CONTROL")
    });
    if so_anyway { Ok(()) } else { Err(no_acls()) }
}

//! Settings of buckets: versions, and those to which there is but one honest answer here.

use allod_core::{Bucket, BucketSettings, Node, Versioning};
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
const UNNAMED_REGION: &str = "us-east-1";

/// What is kept with a bucket of settings that change nothing here, by name.
const ENCRYPTION: &str = "encryption";
const OWNERSHIP: &str = "ownership";
const PUBLIC_BLOCK: &str = "public-access-block";
/// The location that the bucket's maker named.
pub(crate) const LOCATION: &str = "location";

/// Reads a setting.
pub(crate) async fn get(call: &mut Call, setting: Setting) -> Answer {
    let bucket = call.session.bucket(&call.bucket()?).await.map_err(bucket_failure)?;
    if setting == Setting::Acl {
        return Ok(document(acl(call, false)));
    }
    let mut xml = begin(&bucket, setting)?;
    fill(&mut xml, &bucket, setting, &call.shared.region);
    Ok(document(xml))
}

/// The document of a setting, still empty, or the code that says that there is none.
fn begin(bucket: &Bucket, setting: Setting) -> Result<Xml, Failure> {
    let none = |code, message: &'static str| Err(Failure::new(code, message));
    Ok(match setting {
        Setting::Accelerate => Xml::new("AccelerateConfiguration"),
        Setting::Logging => Xml::new("BucketLoggingStatus"),
        Setting::Notification => Xml::new("NotificationConfiguration"),
        Setting::Location => Xml::new("LocationConstraint"),
        Setting::Encryption if kept(bucket, ENCRYPTION).is_none() => {
            let message =
                "The server side encryption configuration was not found: content is encrypted all the same";
            return none(Code::NO_ENCRYPTION, message);
        }
        Setting::Encryption => Xml::new("ServerSideEncryptionConfiguration"),
        Setting::OwnershipControls if kept(bucket, OWNERSHIP) == Some(REMOVED) => {
            return none(Code::NO_OWNERSHIP, "The bucket ownership controls were not found");
        }
        Setting::OwnershipControls => Xml::new("OwnershipControls"),
        Setting::PolicyStatus => Xml::new("PolicyStatus"),
        Setting::RequestPayment => Xml::new("RequestPaymentConfiguration"),
        Setting::Versioning => Xml::new("VersioningConfiguration"),
        Setting::PublicAccessBlock if kept(bucket, PUBLIC_BLOCK).is_none() => {
            return none(Code::NO_PUBLIC_BLOCK, "The public access block configuration was not found");
        }
        Setting::PublicAccessBlock => Xml::new("PublicAccessBlockConfiguration"),
        Setting::Policy => return none(Code::NO_POLICY, "The bucket policy does not exist"),
        Setting::Replication => {
            return none(Code::NO_REPLICATION, "The replication configuration was not found");
        }
        Setting::Website => {
            return none(Code::NO_WEBSITE, "The specified bucket does not have a website configuration");
        }
        // Answered elsewhere.
        Setting::Acl | Setting::Cors | Setting::Lifecycle | Setting::ObjectLock | Setting::Tagging => {
            return Err(Failure::not_implemented("This setting is not implemented"));
        }
    })
}

/// Writes what the setting says.
fn fill(xml: &mut Xml, bucket: &Bucket, setting: Setting, region: &str) {
    match setting {
        Setting::Location => {
            let named = kept(bucket, LOCATION);
            if region != UNNAMED_REGION || named.is_some() {
                xml.raw_text(named.unwrap_or(region));
            }
        }
        Setting::PublicAccessBlock => {
            let said = kept(bucket, PUBLIC_BLOCK).unwrap_or_default();
            for (name, mark) in BLOCKS {
                xml.plain(name, said.contains(mark));
            }
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
            xml.plain("IsPublic", bucket.name.as_str() == PUBLIC_BUCKET);
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
}

/// Writes a setting: versions, or one that says what is so anyway.
pub(crate) async fn put(call: &mut Call, setting: Setting) -> Answer {
    let body = call.document().await?;
    match setting {
        Setting::Versioning => return put_versioning(call, &body).await,
        Setting::Acl => check_acl(call, &body)?,
        Setting::Encryption => {
            check_encryption(&body)?;
            return keep(call, ENCRYPTION, Some("AES256".into()), StatusCode::OK).await;
        }
        Setting::PublicAccessBlock => {
            let marks = blocks(&read(&body)?);
            return keep(call, PUBLIC_BLOCK, Some(marks), StatusCode::OK).await;
        }
        Setting::OwnershipControls => {
            let controls: OwnershipControls = read(&body)?;
            if !controls.rules.iter().all(|rule| rule.object_ownership.as_str() == "BucketOwnerEnforced") {
                return Err(no_acls());
            }
            return keep(call, OWNERSHIP, None, StatusCode::OK).await;
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

/// Removes a setting.
pub(crate) async fn delete(call: &mut Call, setting: Setting) -> Answer {
    let gone = StatusCode::NO_CONTENT;
    match setting {
        Setting::Encryption => keep(call, ENCRYPTION, None, gone).await,
        Setting::PublicAccessBlock => keep(call, PUBLIC_BLOCK, None, gone).await,
        Setting::OwnershipControls => keep(call, OWNERSHIP, Some(REMOVED.into()), gone).await,
        _ => {
            touch(call).await?;
            Ok(empty(gone))
        }
    }
}

/// The elements of a public access block, and the mark by which each is kept.
const BLOCKS: [(&str, char); 4] = [
    ("BlockPublicAcls", 'a'),
    ("IgnorePublicAcls", 'i'),
    ("BlockPublicPolicy", 'p'),
    ("RestrictPublicBuckets", 'r'),
];
/// Kept of a setting that is in force unless it was removed.
const REMOVED: &str = "removed";

fn blocks(given: &PublicAccessBlockConfiguration) -> String {
    let said = [
        given.block_public_acls,
        given.ignore_public_acls,
        given.block_public_policy,
        given.restrict_public_buckets,
    ];
    BLOCKS.iter().zip(said).filter(|(_, said)| *said == Some(true)).map(|((_, mark), _)| *mark).collect()
}

/// What is kept with a bucket by this name.
fn kept<'b>(bucket: &'b Bucket, name: &str) -> Option<&'b str> {
    bucket.settings.documents.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
}

/// Keeps something with a bucket, or no longer.
async fn keep(call: &Call, name: &'static str, text: Option<String>, status: StatusCode) -> Answer {
    let change = move |settings: &mut BucketSettings| {
        note(settings, name, text.clone());
        Ok(())
    };
    call.session.change_bucket(&call.bucket()?, change).await.map_err(bucket_failure)?;
    Ok(empty(status))
}

/// Notes something in a bucket's settings, or strikes it out.
pub(crate) fn note(settings: &mut BucketSettings, name: &str, text: Option<String>) {
    settings.documents.retain(|(known, _)| known != name);
    settings.documents.extend(text.map(|text| (name.to_owned(), text)));
}

/// Nothing is to be changed, but who may not change anything is told so.
async fn touch(call: &Call) -> Result<(), Failure> {
    call.session.change_bucket(&call.bucket()?, |_| Ok(())).await.map_err(bucket_failure)
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
    let change = move |settings: &mut BucketSettings| {
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

//! The side of `s3.bucket` that calls AWS.

use async_trait::async_trait;
use aws_sdk_s3::operation::head_bucket::HeadBucketOutput;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, ObjectOwnership};
use futures_util::future::{join, join_all};
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::plan::{Live, Observation};
use s3stack_engine::value::{Map, Value};

use super::bucket::{Bucket, attributes};
use super::contents::Contents;
use super::listing::Listing;
use super::setting::{SETTINGS, Setting, Target};
use super::{contents, ownership, tags};
use crate::aws::{Operation, rules};
use crate::resources::{Context, Create, Delete, Depth, OWNER_TAG, Progress, Provider, Question, Reply, Update};

const HEAD: Operation = Operation::read("s3", "HeadBucket");
const CREATE: Operation = Operation::once("s3", "CreateBucket").retrying(rules::BUCKET);
const DELETE: Operation = Operation::idempotent("s3", "DeleteBucket").retrying(rules::BUCKET);
const DELETE_EMPTIED: Operation = Operation::idempotent("s3", "DeleteBucket").retrying(rules::BUCKET_EMPTIED);

/// The region that is meant where none is named, and that S3 refuses by name.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html>
const UNNAMED_REGION: &str = "us-east-1";

/// How often a bucket is emptied that is written to meanwhile.
const ROUNDS: usize = 5;

#[async_trait]
impl Provider for Bucket {
    async fn read(&self, context: &Context, questions: &[Question], depth: Depth) -> Vec<Observation> {
        if depth == Depth::Point {
            return join_all(questions.iter().map(|question| point(context, question))).await;
        }
        match Listing::of(context).await {
            Ok(listing) => join_all(questions.iter().map(|question| listed(context, &listing, question))).await,
            // Listing the account is a right of its own, which a careful administrator gives to nobody.
            Err(fault) if fault.kind == FaultKind::Denied => {
                join_all(questions.iter().map(|question| point(context, question))).await
            }
            Err(fault) => questions.iter().map(|_| Observation::Unreadable(fault.clone())).collect(),
        }
    }

    async fn list(&self, context: &Context) -> Result<Option<Vec<String>>, Fault> {
        Ok(Some(Listing::of(context).await?.names_in(&context.facts.region)))
    }

    async fn create(&self, context: &Context, create: &Create, _: &dyn Progress) -> Result<Reply, Fault> {
        let bucket = Target { new: true, ..target(context, &create.physical_id) };
        make(context, &bucket, &create.desired).await?;
        // Tags and ownership went into the creation.
        for setting in SETTINGS.iter().filter(|setting| !["tags", "ownership"].contains(&setting.property())) {
            let Some(value) = create.desired.get(setting.property()).filter(|value| !value.is_null()) else { continue };
            if setting.of_new_bucket().as_ref() != Some(value) {
                setting.put(&bucket, value).await?;
            }
        }
        Ok(reply(context, &create.physical_id))
    }

    async fn update(&self, context: &Context, update: &Update, _: &dyn Progress) -> Result<Reply, Fault> {
        let bucket = target(context, &update.physical_id);
        let marks = |setting: &dyn Setting| setting.property() == "tags" && update.marks();
        for setting in SETTINGS.iter().filter(|setting| update.touches(setting.property()) || marks(**setting)) {
            setting.put(&bucket, update.desired.get(setting.property()).unwrap_or(&Value::Null)).await?;
        }
        Ok(reply(context, &update.physical_id))
    }

    async fn delete(&self, context: &Context, delete: &Delete) -> Result<(), Fault> {
        let bucket = target(context, &delete.physical_id);
        let Err(full) = take_away(&bucket, DELETE).await else { return Ok(()) };
        if !full.is_code(&["BucketNotEmpty"]) {
            return Err(full);
        }
        if delete.memory.get("force_destroy").and_then(Value::as_bool) != Some(true) {
            return Err(refused(&bucket, delete, full).await);
        }
        let mut last = full;
        for _ in 0..ROUNDS {
            match contents::empty(&bucket).await {
                Err(fault) if fault.is_code(&["NoSuchBucket"]) => return Ok(()),
                Err(fault) => return Err(fault),
                Ok(_) => {}
            }
            match take_away(&bucket, DELETE_EMPTIED).await {
                Ok(()) => return Ok(()),
                Err(fault) if fault.is_code(&["BucketNotEmpty"]) => last = fault,
                Err(fault) => return Err(fault),
            }
        }
        last.message = format!("{}; something writes to it faster than it is emptied: stop that first", last.message);
        Err(last)
    }
}

fn target<'a>(context: &'a Context, name: &'a str) -> Target<'a> {
    Target {
        session: &context.session,
        name,
        account_id: &context.facts.account_id,
        owner_tags: context.owner_tags(),
        new: false,
    }
}

fn reply(context: &Context, name: &str) -> Reply {
    Reply { physical_id: name.to_owned(), attributes: attributes(&context.facts, name) }
}

/// Reads a bucket whose existence the account's listing tells.
async fn listed(context: &Context, listing: &Listing, question: &Question) -> Observation {
    match listing.region_of(&question.physical_id) {
        None => Observation::Missing,
        Some(region) if !region.is_empty() && region != context.facts.region => elsewhere(context, question, region),
        Some(_) => settings(context, question).await,
    }
}

fn elsewhere(context: &Context, question: &Question, region: &str) -> Observation {
    let here = &context.facts.region;
    Observation::Foreign(format!("the bucket {} is in {region}, and this is {here}", question.physical_id))
}

/// Reads a bucket by a call of its own, which also tells of buckets in other accounts.
async fn point(context: &Context, question: &Question) -> Observation {
    let bucket = target(context, &question.physical_id);
    match head(&bucket).await {
        Ok(answer) => match answer.bucket_region() {
            Some(region) if region != context.facts.region => elsewhere(context, question, region),
            _ => settings(context, question).await,
        },
        Err(fault) if fault.kind == FaultKind::NotFound => Observation::Missing,
        Err(fault) if fault.is_code(&["301", "PermanentRedirect"]) => {
            Observation::Foreign(format!("the bucket {} is in another region: {}", bucket.name, fault.message))
        }
        Err(fault) if fault.is_code(&["403", "AccessDenied"]) => denied(context, question, fault).await,
        Err(fault) => Observation::Unreadable(fault),
    }
}

async fn head(bucket: &Target<'_>) -> Result<HeadBucketOutput, Fault> {
    let send = || {
        let call = bucket.session.s3().head_bucket().bucket(bucket.name);
        call.expected_bucket_owner(bucket.account_id).send()
    };
    bucket.session.call(HEAD, send).await
}

/// A 403 may mean that the bucket is another account's, or that this caller may not look at it. The account's listing
/// tells which.
async fn denied(context: &Context, question: &Question, fault: Fault) -> Observation {
    let name = &question.physical_id;
    match Listing::of(context).await {
        Ok(listing) if listing.region_of(name).is_some() => Observation::Unreadable(fault),
        Ok(_) => Observation::Foreign(format!("the bucket {name} belongs to another account")),
        Err(_) => Observation::Foreign(format!(
            "the bucket {name} belongs to another account, or this caller lacks s3:ListBucket on it ({fault})"
        )),
    }
}

/// Reads the settings that matter, and always the tags: they tell whose the bucket is. All calls are in flight together.
async fn settings(context: &Context, question: &Question) -> Observation {
    let bucket = target(context, &question.physical_id);
    let asked = SETTINGS.iter().filter(|one| one.property() != "tags" && question.properties.contains(one.property()));
    let reads = join_all(asked.map(|setting| read(*setting, &bucket)));
    let loss = async {
        match question.loss {
            true => contents::count(&bucket).await.map(|contents| contents.words()),
            false => Ok(Vec::new()),
        }
    };
    let ((tags, values), loss) = join(join(tags::all(&bucket), reads), loss).await;
    match assemble(context, bucket.name, tags, values, loss) {
        Ok(live) => Observation::Found(live),
        // It went while it was being read.
        Err(fault) if fault.is_code(&["NoSuchBucket"]) => Observation::Missing,
        Err(fault) => Observation::Unreadable(fault),
    }
}

async fn read(setting: &dyn Setting, bucket: &Target<'_>) -> Result<(&'static str, Value), Fault> {
    Ok((setting.property(), setting.get(bucket).await?))
}

fn assemble(
    context: &Context,
    name: &str,
    tags: Result<std::collections::BTreeMap<String, String>, Fault>,
    values: Vec<Result<(&'static str, Value), Fault>>,
    loss: Result<Vec<String>, Fault>,
) -> Result<Live, Fault> {
    let tags = tags?;
    let mut managed =
        Map::from([("name".to_owned(), Value::from(name)), ("tags".to_owned(), tags::shown(&tags))]);
    for value in values {
        let (property, value) = value?;
        managed.insert(property.to_owned(), value);
    }
    Ok(Live {
        physical_id: name.to_owned(),
        managed,
        attributes: attributes(&context.facts, name),
        owner: tags.get(OWNER_TAG).cloned(),
        loss: loss?,
        hint: false,
    })
}

/// Makes the bucket with its marks on it, so that whatever happens next, it can be seen to be ours.
async fn make(context: &Context, bucket: &Target<'_>, desired: &Map) -> Result<(), Fault> {
    let wanted = desired.get("tags").unwrap_or(&Value::Null);
    let region = &context.facts.region;
    if region == UNNAMED_REGION {
        not_there(bucket).await?;
    }
    let configuration = CreateBucketConfiguration::builder()
        .set_location_constraint((region != UNNAMED_REGION).then(|| BucketLocationConstraint::from(region.as_str())));
    let marked = configuration.clone().set_tags(Some(tags::of_create(wanted, &bucket.owner_tags)?)).build();
    let ownership = desired.get("ownership").filter(|value| !value.is_null()).map(ownership::of);
    match send_create(bucket, marked, ownership.clone()).await {
        // Regions apart (GovCloud, the European Sovereign Cloud) know no tags here; they are marked right after.
        Err(fault) if fault.is_code(&["UnsupportedArgument"]) => {
            send_create(bucket, configuration.build(), ownership).await?;
            tags::Tags.put(bucket, wanted).await
        }
        result => result,
    }
}

async fn send_create(
    bucket: &Target<'_>,
    configuration: CreateBucketConfiguration,
    ownership: Option<ObjectOwnership>,
) -> Result<(), Fault> {
    let send = || {
        let call = bucket.session.s3().create_bucket().bucket(bucket.name);
        let call = call.create_bucket_configuration(configuration.clone());
        call.set_object_ownership(ownership.clone()).send()
    };
    bucket.session.call(CREATE, send).await.map(drop)
}

/// Refuses a bucket of this account that is there already. Everywhere else that is what S3 does; in us-east-1 it answers
/// success, and somebody else's bucket would be taken for the new one and written over.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
async fn not_there(bucket: &Target<'_>) -> Result<(), Fault> {
    match head(bucket).await {
        Ok(_) => Err(Fault {
            service: CREATE.service.into(),
            code: Some("BucketAlreadyOwnedByYou".into()),
            ..Fault::local(FaultKind::Conflict, CREATE.name, "this account has a bucket of this name already")
        }),
        Err(fault) if matches!(fault.kind, FaultKind::Uncertain | FaultKind::Stopped | FaultKind::Expired) => Err(fault),
        // What belongs to others S3 refuses in the creation, and says so better.
        Err(_) => Ok(()),
    }
}

/// Deletes the bucket; a missing one is deleted.
async fn take_away(bucket: &Target<'_>, operation: Operation) -> Result<(), Fault> {
    let send = || {
        let call = bucket.session.s3().delete_bucket().bucket(bucket.name);
        call.expected_bucket_owner(bucket.account_id).send()
    };
    match bucket.session.call(operation, send).await {
        Ok(_) => Ok(()),
        Err(fault) if fault.is_code(&["NoSuchBucket"]) => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// AWS's refusal, with what is in the bucket and what to do.
async fn refused(bucket: &Target<'_>, delete: &Delete, full: Fault) -> Fault {
    let holds = match contents::count(bucket).await {
        // Its listing shows no uploads.
        Ok(contents) if contents == Contents::default() => "unfinished uploads at most".to_owned(),
        Ok(contents) => contents.words().join(", "),
        Err(fault) => format!("something that cannot be counted ({fault})"),
    };
    let message = format!(
        "the bucket {} holds {holds}; to delete that too, set `force_destroy = true` on {}, apply, and try again",
        bucket.name, delete.address
    );
    Fault { message, ..full }
}

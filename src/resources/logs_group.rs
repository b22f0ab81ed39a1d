//! `logs.group`: a log group of CloudWatch Logs.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use async_trait::async_trait;
use aws_sdk_cloudwatchlogs::operation::describe_log_groups::DescribeLogGroupsOutput;
use aws_sdk_cloudwatchlogs::types::{LogGroup, LogGroupClass};
use futures_util::future::join_all;
use s3stack_engine::address::Path;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::plan::{Live, Observation};
use s3stack_engine::policy::grant::{Access, AccessLevel, ActionShapes, Shape};
use s3stack_engine::resource::{
    Actions, Descriptor, Facts, Fixtures, Identity, NameScope, Naming, PropertyReader, Resource, ResourceType,
    Surroundings,
};
use s3stack_engine::schema::shapes::{Reference, Tags as TagsShape, reference};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::schema::{Attribute, Schema, derive};
use s3stack_engine::value::{Map, Unknown, Value};
use schemars::JsonSchema;

use crate::aws::{Operation, Session, rules};
use crate::resources::members::{gone_is_done, text, unless_missing, value};
use crate::resources::quantities::size;
use crate::resources::tags::{self, Tags};
use crate::resources::{Context, Create, Delete, Depth, Progress, Provider, Question, Reply, Update};

/// The type `logs.group`.
pub struct Group;

/// The type's one value.
pub static TYPE: Group = Group;

/// A log group. Whoever writes into it needs a grant; AWS's services make streams in it by themselves.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
struct Properties {
    /// The name: 1 to 512 letters, digits and `.-_/#`, unique in the account and region. Functions write into
    /// `/aws/lambda/NAME` unless told otherwise.
    #[schemars(
        length(min = 1, max = 512),
        regex(pattern = r"^[.\-_/#A-Za-z0-9]+$"),
        extend("x-create-only" = true, "x-delaying" = false, "x-aws-name" = "LogGroupName")
    )]
    name: Option<String>,
    /// For how many days logs are kept: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192,
    /// 2557, 2922, 3288 or 3653. If nothing is said they are kept for ever. Shortening it deletes what is older.
    #[schemars(range(min = 1, max = 3653), extend("x-aws-name" = "RetentionInDays"))]
    retention: Option<i32>,
    /// What can be done with the logs, and at what price. AWS's default is `STANDARD`.
    #[schemars(extend(
        "x-create-only" = true,
        "x-removal" = { "reset": "STANDARD" },
        "x-aws-name" = "LogGroupClass"
    ))]
    class: Option<Class>,
    /// The key that encrypts what is written from now on: a KMS key or its ARN. It must let `logs.REGION.amazonaws.com`
    /// use it. Without one CloudWatch Logs encrypts with a key of its own.
    #[schemars(extend(
        "x-reference" = reference(&["kms.key"], "arn", "^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/"),
        "x-aws-name" = "KmsKeyId"
    ))]
    kms_key: Option<Reference>,
    /// Its tags, at most 48. Tags that others put there are left alone.
    tags: Option<TagsShape>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by schemars alone")]
enum Class {
    /// Everything.
    #[serde(rename = "STANDARD")]
    Standard,
    /// Cheaper to write; without metric filters, subscriptions and live tail.
    #[serde(rename = "INFREQUENT_ACCESS")]
    InfrequentAccess,
    /// Only to hand logs of functions on to S3 or Firehose; AWS says how long they are kept.
    #[serde(rename = "DELIVERY")]
    Delivery,
}

/// The retentions there are, in days.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>
const RETENTIONS: [i64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// What may be granted. No key: CloudWatch Logs itself uses the group's key, whoever reads.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html>
static ACCESS: Access = Access {
    levels: &[
        AccessLevel {
            name: "write",
            doc: "Make streams and write events into them.",
            includes: &[],
            actions: &["logs:CreateLogStream", "logs:PutLogEvents"],
        },
        AccessLevel {
            name: "read",
            doc: "List streams, and read and search their events.",
            includes: &[],
            actions: &["logs:DescribeLogStreams", "logs:GetLogEvents", "logs:FilterLogEvents"],
        },
        AccessLevel {
            name: "query",
            doc: "Read, and ask Logs Insights. Results of a query are had by its id alone, from whatever group they are.",
            includes: &["read"],
            actions: &["logs:StartQuery", "logs:GetQueryResults"],
        },
    ],
    shapes: &[
        ActionShapes { actions: &["logs:GetQueryResults", "logs:StopQuery", "logs:DescribeQueries"], shapes: &[ANY] },
        ActionShapes {
            actions: &["logs:TagResource", "logs:UntagResource", "logs:ListTagsForResource"],
            shapes: &[BARE],
        },
    ],
    otherwise: &[GROUP],
    key: None,
};

/// The group with its streams: AWS compares the group's own ARN with `:*` at its end too.
const GROUP: Shape = Shape { label: "Group", resource: "{arn}:*", prefix_key: None };
const BARE: Shape = Shape { label: "Tags", resource: "{arn}", prefix_key: None };
const ANY: Shape = Shape { label: "Queries", resource: "*", prefix_key: None };

static DESCRIPTOR: Descriptor = Descriptor {
    name: "logs.group",
    physical_id: "name",
    naming: Some(Naming {
        property: "name",
        max: 512,
        account_suffix: false,
        scope: NameScope::Region,
        ignore_case: false,
    }),
    identity: Identity::Name,
    taggable: true,
    global: false,
    stateful: true,
    parent: None,
    example: include_str!("logs_group/example.toml"),
    actions: Actions {
        read: &["logs:DescribeLogGroups", "logs:ListTagsForResource"],
        // AWS asks for the right to tag when a group is made with tags.
        create: &["logs:CreateLogGroup", "logs:TagResource", "logs:PutRetentionPolicy"],
        update: &[
            "logs:TagResource",
            "logs:UntagResource",
            "logs:PutRetentionPolicy",
            "logs:DeleteRetentionPolicy",
            "logs:AssociateKmsKey",
            "logs:DisassociateKmsKey",
        ],
        delete: &["logs:DeleteLogGroup"],
    },
};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let arn = Attribute::predicted(
        "The ARN, `arn:aws:logs:REGION:ACCOUNT:log-group:NAME`, without the `:*` that policies want.",
    );
    derive::schema::<Properties>(&[("arn", arn)])
        .expect("the properties are of shapes that the model knows, which a test sees to")
});

impl ResourceType for Group {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn predict(&self, _: &str, facts: &Facts, property: &mut PropertyReader<'_>) -> Value {
        match property("name") {
            Value::String(name) => arn(facts, &name).into(),
            name => Value::from(Unknown::Expression {
                source: arn(facts, "${name}"),
                scope: Map::from([("name".to_owned(), name)]),
            }),
        }
    }

    fn access(&self) -> Option<&'static Access> {
        Some(&ACCESS)
    }

    fn check(&self, resource: &Resource, _: &dyn Surroundings) -> Vec<Problem> {
        let (mut problems, path) = (Vec::new(), Path::of("retention"));
        if let Some(days) = resource.property("retention").as_integer()
            && !RETENTIONS.contains(&days)
        {
            let longer = RETENTIONS.iter().find(|one| **one > days).unwrap_or(&3653);
            let problem = Problem::new("S3S-W7", &path, format!("AWS has no retention of {days} days"));
            problems.push(problem.help(format!("the next longer one is {longer}")));
        }
        if resource.property("class").as_str() == Some("DELIVERY") && !resource.property("retention").is_null() {
            let message = "AWS takes no retention for the class DELIVERY: it keeps those logs for a day or two";
            problems.push(Problem::new("S3S-W7", &path, message).help("take it out"));
        }
        tags::check("CloudWatch Logs", resource.property("tags"), &mut problems);
        problems
    }

    fn fixtures(&self) -> Fixtures {
        Fixtures {
            base: include_str!("logs_group/fixtures/base.toml"),
            updated: include_str!("logs_group/fixtures/updated.toml"),
            replaced: include_str!("logs_group/fixtures/replaced.toml"),
        }
    }
}

/// The ARN as tagging wants it.
fn arn(facts: &Facts, name: &str) -> String {
    format!("arn:{}:logs:{}:{}:log-group:{name}", facts.partition, facts.region, facts.account_id)
}

const DESCRIBE: Operation = Operation::read("logs", "DescribeLogGroups");
const LIST_TAGS: Operation = Operation::read("logs", "ListTagsForResource");
const CREATE: Operation = Operation::once("logs", "CreateLogGroup").retrying(rules::LOG_GROUP);
const DELETE: Operation = Operation::idempotent("logs", "DeleteLogGroup").retrying(rules::LOG_GROUP);
const PUT_RETENTION: Operation = Operation::idempotent("logs", "PutRetentionPolicy").retrying(rules::LOG_GROUP);
const DELETE_RETENTION: Operation = Operation::idempotent("logs", "DeleteRetentionPolicy").retrying(rules::LOG_GROUP);
const ASSOCIATE_KEY: Operation = Operation::idempotent("logs", "AssociateKmsKey").retrying(rules::LOG_GROUP);
const DISASSOCIATE_KEY: Operation = Operation::idempotent("logs", "DisassociateKmsKey").retrying(rules::LOG_GROUP);
const TAG: Operation = Operation::idempotent("logs", "TagResource").retrying(rules::LOG_GROUP);
const UNTAG: Operation = Operation::idempotent("logs", "UntagResource").retrying(rules::LOG_GROUP);

/// Up to this many groups are asked for one by one, and of more each two are worth a page of the account's list: pages
/// come one after another, and point reads side by side, but both count against the same ten calls per second.
const FEW: usize = 3;

#[async_trait]
impl Provider for Group {
    async fn read(&self, context: &Context, questions: &[Question], depth: Depth) -> Vec<Observation> {
        let listing = match depth {
            Depth::Sweep if questions.len() > FEW => list(&context.session, questions).await,
            _ => Ok(Listing::default()),
        };
        match listing {
            Ok(listing) => join_all(questions.iter().map(|question| one(context, &listing, question, depth))).await,
            // Many who may read their own groups may not list everybody's.
            Err(fault) if fault.kind == FaultKind::Denied => {
                let none = Listing::default();
                join_all(questions.iter().map(|question| one(context, &none, question, depth))).await
            }
            Err(fault) => questions.iter().map(|_| Observation::Unreadable(fault.clone())).collect(),
        }
    }

    async fn list(&self, context: &Context) -> Result<Option<Vec<String>>, Fault> {
        let (mut names, mut token) = (Vec::new(), None);
        loop {
            let page = page(&context.session, "", token).await?;
            names.extend(page.log_groups.unwrap_or_default().into_iter().filter_map(|group| group.log_group_name));
            token = page.next_token;
            if token.is_none() {
                return Ok(Some(names));
            }
        }
    }

    async fn create(&self, context: &Context, create: &Create, _: &dyn Progress) -> Result<Reply, Fault> {
        let (session, name, desired) = (&context.session, create.physical_id.as_str(), &create.desired);
        let tags: HashMap<_, _> = tags::of_create(value(desired, "tags"), &context.owner_tags()).into_iter().collect();
        let class = text(desired, "class").map(|class| LogGroupClass::from(class.as_str()));
        let send = || {
            let call = session.logs().create_log_group().log_group_name(name).set_tags(Some(tags.clone()));
            call.set_log_group_class(class.clone()).set_kms_key_id(text(desired, "kms_key")).send()
        };
        session.call(CREATE, send).await?;
        if !value(desired, "retention").is_null() {
            write_retention(session, name, value(desired, "retention")).await?;
        }
        Ok(reply(context, name))
    }

    async fn update(&self, context: &Context, update: &Update, _: &dyn Progress) -> Result<Reply, Fault> {
        let (session, name) = (&context.session, update.physical_id.as_str());
        if update.touches("tags") || update.adopts {
            write_tags(context, update).await?;
        }
        if update.touches("kms_key") {
            write_key(session, name, text(&update.desired, "kms_key").as_deref()).await?;
        }
        if update.touches("retention") {
            write_retention(session, name, value(&update.desired, "retention")).await?;
        }
        Ok(reply(context, name))
    }

    async fn delete(&self, context: &Context, delete: &Delete) -> Result<(), Fault> {
        let send = || context.session.logs().delete_log_group().log_group_name(&delete.physical_id).send();
        gone_is_done(context.session.call(DELETE, send).await.map(drop))
    }
}

fn reply(context: &Context, name: &str) -> Reply {
    Reply { physical_id: name.to_owned(), attributes: attributes(&context.facts, name) }
}

fn attributes(facts: &Facts, name: &str) -> Map {
    Map::from([("arn".to_owned(), arn(facts, name).into()), ("name".to_owned(), name.into())])
}

/// Sets the retention; null is for ever.
async fn write_retention(session: &Session, name: &str, days: &Value) -> Result<(), Fault> {
    let logs = session.logs();
    match days.as_integer() {
        None => {
            let send = || logs.delete_retention_policy().log_group_name(name).send();
            session.call(DELETE_RETENTION, send).await.map(drop)
        }
        Some(days) => {
            let too_long =
                |_| Fault::local(FaultKind::Invalid, PUT_RETENTION.name, format!("{days} days are too long"));
            let days = i32::try_from(days).map_err(too_long)?;
            let send = || logs.put_retention_policy().log_group_name(name).retention_in_days(days).send();
            session.call(PUT_RETENTION, send).await.map(drop)
        }
    }
}

/// Sets the key; without one CloudWatch Logs takes its own again.
async fn write_key(session: &Session, name: &str, key: Option<&str>) -> Result<(), Fault> {
    let logs = session.logs();
    match key {
        Some(key) => {
            let send = || logs.associate_kms_key().log_group_name(name).kms_key_id(key).send();
            session.call(ASSOCIATE_KEY, send).await.map(drop)
        }
        None => {
            let send = || logs.disassociate_kms_key().log_group_name(name).send();
            session.call(DISASSOCIATE_KEY, send).await.map(drop)
        }
    }
}

async fn write_tags(context: &Context, update: &Update) -> Result<(), Fault> {
    let (session, arn) = (&context.session, arn(&context.facts, &update.physical_id));
    let (desired, live) = (value(&update.desired, "tags"), value(&update.live, "tags"));
    let changes = tags::changes(desired, live, &context.owner_tags());
    if !changes.remove.is_empty() {
        let send = || {
            let call = session.logs().untag_resource().resource_arn(&arn);
            call.set_tag_keys(Some(changes.remove.clone())).send()
        };
        session.call(UNTAG, send).await?;
    }
    let set: HashMap<_, _> = changes.set.into_iter().collect();
    let send = || session.logs().tag_resource().resource_arn(&arn).set_tags(Some(set.clone())).send();
    session.call(TAG, send).await.map(drop)
}

/// What a part of the account's list came to.
#[derive(Default)]
struct Listing {
    /// The groups that were asked for, by name.
    found: HashMap<String, LogGroup>,
    /// Whether a group that is not among them does not exist.
    complete: bool,
}

/// Lists what all the names asked for begin with, for as many pages as are sooner had than point reads.
async fn list(session: &Session, questions: &[Question]) -> Result<Listing, Fault> {
    let wanted: BTreeSet<&str> = questions.iter().map(|question| question.physical_id.as_str()).collect();
    let prefix = common_prefix(&wanted);
    let (mut listing, mut token) = (Listing::default(), None);
    for _ in 0..questions.len() / 2 {
        let page = page(session, prefix, token).await?;
        let groups = page.log_groups.unwrap_or_default().into_iter();
        let named = groups.filter_map(|group| Some((group.log_group_name.clone()?, group)));
        listing.found.extend(named.filter(|(name, _)| wanted.contains(name.as_str())));
        token = page.next_token;
        if token.is_none() || listing.found.len() == wanted.len() {
            listing.complete = true;
            break;
        }
    }
    Ok(listing)
}

/// What all names begin with. The first and the last of them differ the soonest.
fn common_prefix<'a>(names: &BTreeSet<&'a str>) -> &'a str {
    let (Some(first), Some(last)) = (names.first(), names.last()) else { return "" };
    let same = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
    first.get(..same).unwrap_or_default()
}

async fn page(session: &Session, prefix: &str, token: Option<String>) -> Result<DescribeLogGroupsOutput, Fault> {
    let prefix = Some(prefix).filter(|prefix| !prefix.is_empty()).map(str::to_owned);
    let send = || {
        let call = session.logs().describe_log_groups().set_log_group_name_prefix(prefix.clone());
        call.limit(50).set_next_token(token.clone()).send()
    };
    session.call(DESCRIBE, send).await
}

/// Looks for one group among those whose names begin with its own; it comes first of them.
async fn find(session: &Session, name: &str) -> Result<Option<LogGroup>, Fault> {
    let mut token = None;
    loop {
        let page = page(session, name, token).await?;
        let mut groups = page.log_groups.unwrap_or_default().into_iter();
        let found = groups.find(|group| group.log_group_name.as_deref() == Some(name));
        token = page.next_token;
        if found.is_some() || token.is_none() {
            return Ok(found);
        }
    }
}

/// Answers one question. Tags take a call of their own, which a sweep only makes where there are some to keep.
async fn one(context: &Context, listing: &Listing, question: &Question, depth: Depth) -> Observation {
    let name = question.physical_id.as_str();
    let found = match listing.found.get(name) {
        None if !listing.complete => find(&context.session, name).await,
        found => Ok(found.cloned()),
    };
    let group = match found {
        Ok(Some(group)) => group,
        Ok(None) => return Observation::Missing,
        Err(fault) => return Observation::Unreadable(fault),
    };
    let wants_tags = match depth {
        Depth::Sweep => question.asks_for("tags"),
        Depth::Point => question.properties.contains("tags"),
    };
    if !wants_tags {
        return Observation::Found(live(&context.facts, question, &group, None));
    }
    match tags_of(context, name).await {
        Ok(Some(tags)) => Observation::Found(live(&context.facts, question, &group, Some(&tags))),
        // It went while it was being read.
        Ok(None) => Observation::Missing,
        Err(fault) => Observation::Unreadable(fault),
    }
}

/// All tags of a group; absent where there is no such group.
async fn tags_of(context: &Context, name: &str) -> Result<Option<Tags>, Fault> {
    let arn = arn(&context.facts, name);
    let send = || context.session.logs().list_tags_for_resource().resource_arn(&arn).send();
    let answer = unless_missing(context.session.call(LIST_TAGS, send).await)?;
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect()))
}

/// What AWS told. Without the tags nobody can tell whose the group is, so that such an answer is only a hint.
fn live(facts: &Facts, question: &Question, group: &LogGroup, tags: Option<&Tags>) -> Live {
    let name = question.physical_id.as_str();
    let class = group.log_group_class.as_ref().map_or("STANDARD", LogGroupClass::as_str);
    let mut managed = Map::from([
        ("name".to_owned(), name.into()),
        ("retention".to_owned(), retention(question, group)),
        ("class".to_owned(), class.into()),
        ("kms_key".to_owned(), group.kms_key_id.clone().into()),
    ]);
    if let Some(tags) = tags {
        managed.insert("tags".to_owned(), tags::shown(tags));
    }
    let bytes = group.stored_bytes.and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0);
    Live {
        physical_id: name.to_owned(),
        managed,
        attributes: attributes(facts, name),
        owner: tags.and_then(tags::owner),
        loss: bytes.filter(|_| question.loss).map(|bytes| format!("{} of logs", size(bytes))).into_iter().collect(),
        hint: tags.is_none(),
    }
}

/// The group's own retention. Where a policy of the account overrides it, AWS tells that of the policy instead: then the
/// group's is taken for what was last written, for nothing that is written would change what AWS tells.
fn retention(question: &Question, group: &LogGroup) -> Value {
    match group.retention_policy_name {
        Some(_) => value(&question.managed, "retention").clone(),
        None => group.retention_in_days.map(i64::from).map_or(Value::Null, Value::from),
    }
}

#[cfg(test)]
mod tests;

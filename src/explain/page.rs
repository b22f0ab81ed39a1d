//! What is known of one thing, before it is laid out as text, Markdown or JSON.

/// One explanation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The kind of thing: `type`, `property`, `function`.
    pub topic: &'static str,
    /// Its name, as `s3stack explain` takes it.
    pub name: String,
    /// Its documentation: paragraphs, with code in backticks.
    pub text: String,
    /// What there is to say in a word or a line each.
    pub facts: Vec<Fact>,
    /// What it consists of.
    pub parts: Vec<Part>,
    /// How it is written in a stack file.
    pub example: Option<String>,
    /// What to ask for next, as a sentence.
    pub next: Option<String>,
}

/// One thing to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is about, in the words of the JSON: `create_only`.
    pub key: &'static str,
    /// What there is to say.
    pub text: String,
}

/// Things of one kind that a page lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What they are, in the words of the JSON: `properties`.
    pub key: &'static str,
    /// What they are, for people.
    pub heading: String,
    /// The things.
    pub entries: Vec<Entry>,
}

/// One thing in a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What there is to say in a word each; `yes` means that the key is all there is to say.
    pub facts: Vec<Fact>,
    /// Its documentation.
    pub text: String,
}

impl Fact {
    /// A fact.
    pub fn new(key: &'static str, text: impl Into<String>) -> Self {
        Self { key, text: text.into() }
    }

    /// What it is about, for people: `taken out`.
    pub fn label(&self) -> String {
        self.key.replace('_', " ").replace("aws", "AWS")
    }

    /// All of it in a few words, for a list: a type as it is, `required`, `default true`.
    pub fn brief(&self) -> String {
        match (self.key, self.text.as_str()) {
            ("type" | "actions", text) => text.to_owned(),
            (_, "yes") => self.key.replace('_', "-"),
            (_, text) => format!("{} {text}", self.label()),
        }
    }
}

impl Part {
    /// A list; none where it would be empty.
    pub fn new(key: &'static str, heading: impl Into<String>, entries: Vec<Entry>) -> Option<Self> {
        (!entries.is_empty()).then(|| Self { key, heading: heading.into(), entries })
    }
}

impl Entry {
    /// A thing of which there is nothing else to say.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), facts: Vec::new(), text: text.into() }
    }
}

//! The whole-stack texts that types give for their tests, and parts of them.

use anyhow::{Context as _, Result};
use toml::Table;

/// The name of every stack under test.
pub const STACK: &str = "conformance";

/// A stack whose block `it` is under test.
#[derive(Clone)]
pub struct Fixture {
    table: Table,
    service: String,
    kind: String,
}

impl Fixture {
    /// One of a type's texts; `None` where the type has none.
    pub fn parse(type_name: &str, text: &str) -> Result<Option<Self>> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let mut table: Table = toml::from_str(text).context("the fixture is no TOML")?;
        let mut settings = Table::new();
        settings.insert("name".into(), STACK.into());
        table.entry("stack").or_insert(settings.into());
        let (service, kind) = type_name.split_once('.').context("a type's name has a dot")?;
        let fixture = Self { table, service: service.into(), kind: kind.into() };
        fixture.it().context("the fixture has no block `it` of its type")?;
        Ok(Some(fixture))
    }

    /// The stack file.
    pub fn text(&self) -> String {
        toml::to_string(&self.table).expect("what was read as TOML can be written")
    }

    /// The resource types it has blocks of.
    pub fn types(&self) -> Vec<String> {
        let services = self.table.iter().filter_map(|(name, value)| Some((name, value.as_table()?)));
        services
            .filter(|(service, _)| *service != "stack")
            .flat_map(|(service, types)| types.keys().map(move |kind| format!("{service}.{kind}")))
            .collect()
    }

    /// The names of what the block under test says.
    pub fn properties(&self) -> Vec<String> {
        self.it().map(|it| it.keys().cloned().collect()).unwrap_or_default()
    }

    /// The same stack, whose block under test says less.
    pub fn without_property(&self, name: &str) -> Self {
        let mut less = self.clone();
        if let Some(it) = less.blocks().and_then(|blocks| blocks.get_mut("it")?.as_table_mut()) {
            it.remove(name);
        }
        less
    }

    /// The same stack, whose block under test says more.
    pub fn with_property(&self, name: &str, value: &str) -> Self {
        let mut more = self.clone();
        if let Some(it) = more.blocks().and_then(|blocks| blocks.get_mut("it")?.as_table_mut()) {
            it.insert(name.to_owned(), value.into());
        }
        more
    }

    /// The same stack without the block under test.
    pub fn without_it(&self) -> Self {
        let mut less = self.clone();
        let left = less.blocks().is_some_and(|blocks| {
            blocks.remove("it");
            !blocks.is_empty()
        });
        if !left && let Some(types) = less.table.get_mut(&self.service).and_then(|value| value.as_table_mut()) {
            types.remove(&self.kind);
            if types.is_empty() {
                less.table.remove(&self.service);
            }
        }
        less
    }

    fn it(&self) -> Option<&Table> {
        self.table.get(&self.service)?.get(&self.kind)?.get("it")?.as_table()
    }

    fn blocks(&mut self) -> Option<&mut Table> {
        self.table.get_mut(&self.service)?.get_mut(&self.kind)?.as_table_mut()
    }
}

//! The way from files to a checked stack.

use std::collections::HashMap;
use std::sync::Arc;

use super::model::{ModuleBlock, Stack};
use super::modules::folder_of;
use super::owner::name_owners;
use super::sections::Whole;
use super::{MAX_BYTES, MAX_DIAGNOSTICS, parse, sections, static_check};
use crate::address::{ModulePath, ModuleStep};
use crate::diagnostic::{Diagnostic, Diagnostics, SourceFile, Span};
use crate::resource::{Registry, identified_by};
use crate::schema::Schema;

/// What the stack file needs to know of the resource types there are.
pub trait Types {
    /// All type names, `s3.bucket`.
    fn names(&self) -> Vec<&str>;

    /// The schema of a type.
    fn schema(&self, name: &str) -> Option<&Schema>;

    /// The properties that AWS's identifier of a type is made of; none where AWS makes it.
    fn identified_by(&self, name: &str) -> Vec<String> {
        self.schema(name)
            .filter(|schema| schema.properties.contains_key("name"))
            .map(|_| "name".to_owned())
            .into_iter()
            .collect()
    }
}

impl<R: Registry + ?Sized> Types for R {
    fn names(&self) -> Vec<&str> {
        Registry::names(self)
    }

    fn schema(&self, name: &str) -> Option<&Schema> {
        self.get(name).map(|resource_type| resource_type.schema())
    }

    fn identified_by(&self, name: &str) -> Vec<String> {
        self.get(name).map(identified_by).unwrap_or_default()
    }
}

/// What is wrong with a file as TOML, whatever it says.
pub fn syntax_of(file: &SourceFile) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let file = Arc::new(SourceFile { name: file.name.clone(), text: file.text.clone() });
    parse::parse(&[file], &mut diagnostics);
    diagnostics.limit(MAX_DIAGNOSTICS, 0);
    diagnostics
}

/// Where the files of modules come from. Folders are relative to the stack folder.
pub trait Modules {
    /// The files of a module: `module.toml` and every `*.module.toml` beside it, in the order in which they shall be told
    /// about. The errors say why there are none; those without a place get that of the module that was asked for.
    fn files(&self, folder: &str) -> Result<Vec<Arc<SourceFile>>, Diagnostics>;
}

/// No modules: every `source` leads nowhere.
pub struct NoModules;

impl Modules for NoModules {
    fn files(&self, folder: &str) -> Result<Vec<Arc<SourceFile>>, Diagnostics> {
        let diagnostic = Diagnostic::error("S3S-P13", format!("there is no module in {folder}"));
        Err(Diagnostics(vec![diagnostic.help("modules cannot be read here")]))
    }
}

/// Deepest nesting of modules.
const DEPTH: usize = 32;

/// Reads a stack: `stack.toml` and every `*.stack.toml` beside it, in the order in which they shall be told about, and
/// the modules that they name.
///
/// Everything wrong with them is told at once, in the order of the files. The stack is absent when a file is no TOML or
/// breaks the bounds; where there are errors it is for further checks alone, never for a plan.
pub fn load(files: &[Arc<SourceFile>], types: &dyn Types, modules: &dyn Modules) -> (Option<Stack>, Diagnostics) {
    let bytes = files.iter().map(|file| file.text.len()).sum();
    let mut loader = Loader { types, modules, read: HashMap::new(), way: Vec::new(), files: files.to_vec(), bytes };
    let mut diagnostics = Diagnostics::default();
    let stack = loader.content(files, Whole::Stack, String::new(), &mut diagnostics);
    let place = |diagnostic: &Diagnostic| {
        let span = diagnostic.span.as_ref()?;
        Some((loader.files.iter().position(|file| Arc::ptr_eq(file, &span.file)), span.start))
    };
    diagnostics.0.sort_by_cached_key(place);
    diagnostics.limit(MAX_DIAGNOSTICS, 0);
    (stack, diagnostics)
}

struct Loader<'a> {
    types: &'a dyn Types,
    modules: &'a dyn Modules,
    /// What each folder holds, so that a module used twice is read and told about once.
    read: HashMap<String, Option<Arc<Stack>>>,
    /// The folders of the modules that are being read, outermost first, and the names that they have where they are.
    way: Vec<(String, ModuleStep)>,
    /// All files, in the order in which they are told about.
    files: Vec<Arc<SourceFile>>,
    bytes: usize,
}

impl Loader<'_> {
    fn content(
        &mut self,
        files: &[Arc<SourceFile>],
        whole: Whole,
        folder: String,
        diagnostics: &mut Diagnostics,
    ) -> Option<Stack> {
        let mut found = Diagnostics::default();
        let Some(parsed) = parse::parse(files, &mut found) else {
            diagnostics.extend(found);
            return None;
        };
        let headers = parsed.headers;
        let mut stack = sections::read(parsed.root, whole, &headers, self.types, &mut found);
        if whole == Whole::Stack && stack.settings.span.is_none() {
            let start = files.first().map(|file| Span { file: file.clone(), start: 0, end: 0 });
            let diagnostic = Diagnostic::error("S3S-P5", "the stack has no name").at(start);
            found.push(diagnostic.help("begin stack.toml with [stack] and `name = \"…\"`"));
        }
        stack.folder = folder;
        for module in stack.modules.values_mut() {
            module.content = self.module(module, &stack.folder, diagnostics);
        }
        static_check::check(&mut stack, whole, &headers, self.types, &mut found);
        name_owners(&stack, &ModulePath::default(), &mut found);
        let here = ModulePath(self.way.iter().map(|(_, step)| step.clone()).collect());
        for diagnostic in &mut found.0 {
            diagnostic.address = diagnostic.address.take().map(|address| address.within(&here));
        }
        diagnostics.extend(found);
        Some(stack)
    }

    /// What a module's folder holds; what is wrong with it is told the first time.
    fn module(&mut self, module: &ModuleBlock, from: &str, diagnostics: &mut Diagnostics) -> Option<Arc<Stack>> {
        let (source, place) = module.source.as_ref()?;
        let name = &module.name;
        let mut refuse = |code, message: String, help: &str| {
            diagnostics.push(Diagnostic::error(code, message).at(place.clone()).help(help));
            None
        };
        let Some(folder) = folder_of(source, from) else {
            let message = format!("`{source}` cannot be where module.{name} is");
            return refuse("S3S-P13", message, "write a folder relative to this file's, such as \"./modules/core\"");
        };
        if let Some(begun) = self.way.iter().position(|(one, _)| *one == folder) {
            let way: Vec<&str> = self.way.iter().skip(begun).map(|(one, _)| one.as_str()).chain([&*folder]).collect();
            let message = format!("the module includes itself: {}", way.join(" → "));
            return refuse("S3S-P14", message, "take this module out of it");
        }
        if let Some(content) = self.read.get(&folder) {
            return content.clone();
        }
        if self.way.len() >= DEPTH {
            return refuse("S3S-P2", format!("modules are in each other more than {DEPTH} deep"), "nest them less");
        }
        let files = match self.modules.files(&folder) {
            Ok(files) => files,
            Err(errors) => {
                for error in errors.0 {
                    let at = error.span.clone().unwrap_or_else(|| place.clone());
                    diagnostics.push(error.at(at));
                }
                self.read.insert(folder, None);
                return None;
            }
        };
        self.bytes += files.iter().map(|file| file.text.len()).sum::<usize>();
        if self.bytes > MAX_BYTES {
            let message = format!("the files of the stack and its modules have more than {MAX_BYTES} bytes together");
            return refuse("S3S-P2", message, "split the stack into several");
        }
        self.files.extend(files.iter().cloned());
        self.way.push((folder.clone(), ModuleStep { name: name.clone(), key: None }));
        let content = self.content(&files, Whole::Module, folder.clone(), diagnostics).map(Arc::new);
        self.way.pop();
        self.read.insert(folder, content.clone());
        content
    }
}

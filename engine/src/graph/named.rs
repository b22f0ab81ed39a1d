//! What has a name but is no resource: the inputs and outputs of modules, and what `for_each` goes over. Each is
//! evaluated when it is first asked for, since two modules may use each other.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::evaluate::{Evaluator, Slot};
use super::frames::FrameId;
use super::scope::Owner;
use crate::address::{Address, ModulePath, Path, Step, Target};
use crate::diagnostic::{Diagnostic, Span};
use crate::stack::variables::{broken_rule, fit, refer};
use crate::stack::{Node, broken, is_broken};
use crate::value::{Secret, Value};

/// The name of a value that is no resource's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Named {
    /// The module that it is in.
    pub frame: FrameId,
    /// What it is there.
    pub what: What,
}

/// What a value is in its module.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum What {
    /// `var.NAME`.
    Input(String),
    /// A key of `[output]`.
    Output(String),
    /// What the `for_each` of a block goes over.
    Collection(Target),
}

/// The resources that a value names, by where in the value.
#[derive(Debug, Default)]
pub struct Names {
    /// Those of which it has a property or attribute.
    pub members: ByPath,
    /// Those that it names as a whole. As long as all of it is known, they stand in it.
    pub wholes: ByPath,
}

/// Resources by where in a value they are named.
pub type ByPath = BTreeMap<Path, BTreeSet<Address>>;

/// A value that has been evaluated.
#[derive(Debug, Default)]
pub struct Noted {
    /// The value.
    pub value: Value,
    /// The resources that it names: whoever uses it waits for them.
    pub names: Names,
}

impl Noted {
    fn of(value: Value) -> Rc<Self> {
        Rc::new(Self { value, names: Names::default() })
    }
}

/// Those that the part at `steps` names.
pub fn at<'n>(names: &'n ByPath, steps: &'n [Step]) -> impl Iterator<Item = &'n Address> {
    let concerns = move |path: &Path| path.0.iter().zip(steps).all(|(one, other)| one == other);
    names.iter().filter(move |(path, _)| concerns(path)).flat_map(|(_, names)| names)
}

impl<'a> Evaluator<'a> {
    /// The value of a variable of a module.
    pub fn input(&self, frame: FrameId, name: &str) -> Option<Rc<Noted>> {
        let used = self.frames.get(frame)?;
        let call = used.call.as_ref()?;
        let variable = used.stack.variables.get(name)?;
        let given = call.block.inputs.get(name).map(|entry| &entry.node);
        let named = Named { frame, what: What::Input(name.to_owned()) };
        let place = given.or(variable.default.as_ref()).map_or(&variable.span, |node| &node.span);
        Some(self.note(named, place, |owner| {
            if variable.unreadable {
                return broken();
            }
            let mut value = given.map_or(Value::Null, |node| {
                let value = self.evaluate(node, &Path::default(), owner, call.frame, call.each.as_ref());
                let around = self.frames.get(call.frame).map(|frame| frame.path.clone()).unwrap_or_default();
                refer(value, &variable.shape, &around)
            });
            // What is given as null is not given.
            if let (Value::Null, Some(default)) = (&value, &variable.default) {
                let default = self.evaluate(default, &Path::default(), owner, frame, None);
                value = refer(default, &variable.shape, &used.path);
            }
            let misfit = |message: String, help: Option<String>| {
                let message = format!("`{name}` of {} {message}", shown(&used.path));
                let diagnostic = Diagnostic::error("S3S-W13", message).at(place.clone());
                let definition = given.is_some().then(|| variable.span.clone());
                let diagnostic = diagnostic.label(definition, "the variable");
                self.report(diagnostic.help(help.unwrap_or_else(|| format!("its type is {}", variable.shape))));
                broken()
            };
            if is_broken(&value) {
                return value;
            }
            let value = match fit(value, &variable.shape) {
                Ok(value) => value,
                Err(wrong) => {
                    let at = if wrong.path.0.is_empty() { String::new() } else { format!(" at {}", wrong.path) };
                    return misfit(format!("does not fit{at}: {}", wrong.message), wrong.help);
                }
            };
            let allowed = variable.allowed.as_ref().map(|nodes| {
                let value = |node: &Node| self.evaluate(node, &Path::default(), owner, frame, None);
                nodes.iter().map(value).collect::<Vec<_>>()
            });
            // Whether an attribute that AWS makes keeps a rule nobody can say before it does.
            if value.is_known()
                && let Some((what, help)) = broken_rule(variable, allowed.as_deref(), &value)
            {
                return misfit(what, Some(help));
            }
            if variable.sensitive { Value::Secret(Secret::new(value)) } else { value }
        }))
    }

    /// An output of a module.
    pub fn output(&self, frame: FrameId, name: &str) -> Option<Rc<Noted>> {
        let output = self.frames.get(frame)?.stack.outputs.get(name)?;
        let named = Named { frame, what: What::Output(name.to_owned()) };
        Some(self.note(named, &output.span, |owner| {
            let value = self.evaluate(&output.value, &Path::default(), owner, frame, None);
            if output.sensitive { Value::Secret(Secret::new(value)) } else { value }
        }))
    }

    /// What a `for_each` goes over.
    pub fn collection(&self, frame: FrameId, of: &Target, node: &Node) -> Rc<Noted> {
        let named = Named { frame, what: What::Collection(of.clone()) };
        self.note(named, &node.span, |owner| self.evaluate(node, &Path::default(), owner, frame, None))
    }

    /// Evaluates a value once, noting the resources that it names.
    fn note(&self, named: Named, place: &Span, evaluate: impl FnOnce(&Owner) -> Value) -> Rc<Noted> {
        if let Some(noted) = self.named.borrow().get(&named) {
            return noted.clone();
        }
        if let Err(circle) = self.begin(Slot::Named(named.clone())) {
            self.report(circle.at(place.clone()));
            return Noted::of(broken());
        }
        let names = Rc::new(RefCell::new(Names::default()));
        let value = evaluate(&Owner::Named(names.clone()));
        self.end();
        let noted = Rc::new(Noted { value, names: names.take() });
        self.named.borrow_mut().insert(named, noted.clone());
        noted
    }

    /// How a named value is called in messages.
    pub fn called(&self, named: &Named) -> String {
        let path = self.frames.get(named.frame).map(|frame| frame.path.to_string()).unwrap_or_default();
        match &named.what {
            What::Input(name) => format!("{path}var.{name}"),
            What::Output(name) => format!("{path}{name}"),
            What::Collection(of) => format!("the for_each of {path}{of}"),
        }
    }
}

/// A module in messages.
pub fn shown(path: &ModulePath) -> String {
    path.to_string().trim_end_matches('.').to_owned()
}

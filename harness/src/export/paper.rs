//! A stage on paper: what [`crate::actor::perform`] makes of a question whose variables and processes have
//! no values yet.
//!
//! Each thing that is known only when the program runs is given a number, or a text, that no case uses; wherever
//! that comes out of the table of operations again, in an argument, a structure, a path or what is looked for in
//! an answer, the program has the thing itself. So no operation is described twice.

use std::cell::RefCell;

use crate::actor::perform::{Copy, Surroundings};
use crate::run::Lost;

/// What a program knows only when it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Symbol {
    /// The value of a variable.
    Variable(String),
    /// The process id of an actor.
    Process(String),
    /// How far the last buffer of an actor was written to.
    Touched(String),
    /// A special key by its name; its number is known.
    Special(&'static str, i64),
    /// The number of the repetition.
    Turn,
}

/// Numbers from here on stand for symbols.
const FIRST: u32 = 0x7a5e_0000;
/// How many there may be.
const MOST: u32 = 0x1_0000;

/// The symbols of a case.
#[derive(Debug, Default)]
pub(super) struct Paper {
    symbols: RefCell<Vec<Symbol>>,
    /// The copy of the program that the last question executes.
    pub(super) copy: Option<Copy>,
}

impl Paper {
    /// The number that stands for a symbol.
    pub(super) fn number(&self, symbol: Symbol) -> i64 {
        let mut symbols = self.symbols.borrow_mut();
        let at = symbols.iter().position(|known| *known == symbol).unwrap_or_else(|| {
            symbols.push(symbol);
            symbols.len() - 1
        });
        i64::from(FIRST) + at as i64
    }

    /// The symbol that a number stands for.
    pub(super) fn symbol(&self, number: i64) -> Option<Symbol> {
        let at = usize::try_from(number.checked_sub(FIRST.into())?).ok()?;
        self.symbols.borrow().get(at).cloned()
    }
}

/// If a case's own number could be taken for a symbol.
pub(super) fn is_taken(number: i64) -> bool {
    (i64::from(FIRST)..i64::from(FIRST + MOST)).contains(&number)
}

impl Surroundings for Paper {
    fn process(&self, actor: &str) -> Result<i32, Lost> {
        Ok(self.number(Symbol::Process(actor.to_owned())) as i32)
    }

    fn written(&self, actor: &str) -> u32 {
        self.number(Symbol::Touched(actor.to_owned())) as u32
    }

    fn printed(&self, _actor: &str) -> Option<Vec<u8>> {
        None
    }

    fn host(&self, actor: &str) -> Result<i32, Lost> {
        Err(Lost(format!("no program hosts {actor}")))
    }

    fn channel(&self, _actor: &str) -> Result<i32, Lost> {
        Ok(0)
    }

    fn own_program(&mut self) -> Result<(i32, String), Lost> {
        self.copy = None;
        Ok((0, String::new()))
    }

    fn copy(&mut self, copy: Copy, _actor: &str) -> Result<String, Lost> {
        self.copy = Some(copy);
        Ok("copy".into())
    }

    fn foreign(&self, name: &str) -> Result<String, Lost> {
        Err(Lost(format!("it runs {name}")))
    }

    fn reporter(&mut self, child: &str) -> Result<String, Lost> {
        Err(Lost(format!("a foreign program hosts {child}")))
    }
}

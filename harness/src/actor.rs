//! An actor: a process or thread that performs operations of a case.
//!
//! On the stage's side [`perform`] turns operations into [`message`]s and answers into observations. On
//! the actor's side [`life`] is a loop that takes a message, makes its system calls and answers. The
//! loop allocates nothing and touches no thread-local storage, because an actor may be born by vfork or
//! by clone with shared memory, where it has no such storage of its own.

pub mod life;
pub mod message;
pub mod perform;
pub mod sys;

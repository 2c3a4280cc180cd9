//! Reading a configuration file so that every error names the file, the line, the key, what stands there and what is allowed.
//!
//! A program describes its file once, in a [`Form`]: the keys, what may stand at each, which numbers have bounds, which values are
//! secret. The values themselves are a plain struct that serde fills. [`Form::parse`] puts both together: serde and the parser
//! of TOML find what is wrong and the place in the text, the form knows the key's name and what it may be.
//!
//! What no type can hold (an empty name, a key that needs another one) the program looks for itself and reports as a [`Fault`];
//! it comes out as the same [`ConfigError`].

#![forbid(unsafe_code)]

mod entries;
mod error;
mod form;

pub use error::ConfigError;
pub use form::{Fault, Form, Number};

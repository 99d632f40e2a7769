//! What people look at while an arm moves.

pub mod table;

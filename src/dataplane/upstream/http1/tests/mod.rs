//! The codec against transcripts, against hyper, and against peers that do not read.

mod answers;
mod bounds;
mod exchange;
mod outcome;
mod requests;
mod transcripts;

use super::*;

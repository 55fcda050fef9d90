//! `nexusd compact`: writes the embedded store's file anew, without its free pages.

use std::process::ExitCode;

use super::{complain, loaded};
use crate::terminal::print;
use crate::{
    backend::{error::chain, sqlite::compact},
    config::{BackendKind, Inputs},
};

pub(super) fn run(inputs: &Inputs) -> ExitCode {
    let loaded = match loaded(inputs) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    if loaded.config.backend.kind == BackendKind::Aws {
        complain("error: the backend is that of the cloud: there is no file to compact");
        return ExitCode::FAILURE;
    }
    match compact(&loaded.config.data.database()) {
        Ok((before, after)) => {
            print(&format!("{before} bytes before, {after} after; the file shrinks by itself from now on"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&format!("error: {}", chain(&error)));
            ExitCode::FAILURE
        }
    }
}

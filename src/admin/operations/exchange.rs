//! Export and import of the whole directory, in its own line format ([`crate::directory::export`]).

use std::io::{self, BufRead, Write};

use jiff::Timestamp;

use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::{Kind, Problem};
use crate::directory::export::{self, ImportError, ImportReport};

/// Refuses everybody who may not export or import. For admins.
pub fn allowed(caller: &Caller) -> Result<(), Problem> {
    caller.needs_admin()
}

/// Writes one consistent state of the directory.
pub fn export(context: &Context, out: &mut impl Write) -> io::Result<()> {
    context.directory.snapshot().write_export(out).map(|_| ())
}

/// Takes an export in. Maildirs of its accounts are made at their first use. For admins.
pub fn import(context: &Context, caller: &Caller, lines: &mut impl BufRead) -> Result<ImportReport, Problem> {
    allowed(caller)?;
    let told = |error: ImportError| match &error {
        ImportError::Unreadable(_) => Problem::new(Kind::Directory, error.to_string()),
        _ => Problem::new(Kind::BadImport, error.to_string()),
    };
    export::import(&context.directory, caller.author(), lines, Timestamp::now(), &mut |_| {}).map_err(told)
}

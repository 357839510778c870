//! The command line: turns arguments into requests to the API, and answers into tables or JSON. It adds nothing of its own.
//!
//! Promises one line on stderr and an exit code for each failure (design, section 9), colours and progress bars only on a
//! terminal, and that a password never stands in an argument. Refuses to know the configuration: `app` says where the
//! server's socket is, and how to open the directory without a server.

mod accounts;
mod addresses;
pub mod args;
mod audit;
pub mod connection;
mod exchange;
pub mod failure;
mod log;
mod members;
pub mod output;
mod password;
pub mod probe;
mod queue;
pub mod trace;

use self::args::Administer;
use self::connection::{Connection, Place};
use self::failure::Failure;
use self::output::Output;

/// Carries out a command that needs the directory.
pub async fn run(command: Administer, output: Output, place: Place) -> Result<(), Failure> {
    let Place { socket, spool, open } = place;
    let connection = Connection::find(socket, open).await?;
    match command {
        Administer::Domain(command) => addresses::domain(&connection, output, command).await,
        Administer::Alias(command) => addresses::alias(&connection, output, command).await,
        Administer::Master(command) => accounts::master(&connection, output, command).await,
        Administer::Pop(command) => accounts::pop(&connection, output, command).await,
        Administer::List(command) => accounts::list(&connection, output, command).await,
        Administer::Queue(command) => queue::queue(&connection, output, command).await,
        Administer::Trace { address, sender, without } => {
            trace::trace(&connection, output, &address, trace::Circumstances { sender, without }).await
        }
        Administer::Test { address, timeout, fetch } => {
            trace::test(&connection, output, &spool, &address, trace::Followed { timeout, fetch }).await
        }
        Administer::Log(question) => log::log(&connection, output, question).await,
        Administer::Audit(command) => audit::audit(&connection, output, command).await,
        Administer::Export => exchange::export(&connection).await,
        Administer::Import { file } => exchange::import(&connection, output, &file).await,
    }
}

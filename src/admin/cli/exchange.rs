//! `export`, `import`.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Frame;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::fs::File;
use tokio::io::{AsyncRead, ReadBuf};

use super::connection::{Connection, whole};
use super::failure::Failure;
use super::output::{Output, note, printable};
use crate::directory::export::ImportReport;

/// Octets that are read of a file at a time.
const CHUNK: usize = 64 * 1024;

pub(super) async fn export(connection: &Connection) -> Result<(), Failure> {
    let mut body = connection.send(Method::GET, "/export", "application/json", Body::empty()).await?.into_body();
    let mut out = io::stdout().lock();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::failed(format!("the export broke off and is not whole: {error}")))?;
        out.write_all(&frame.into_data().unwrap_or_default())?;
    }
    Ok(out.flush()?)
}

pub(super) async fn import(connection: &Connection, output: Output, path: &Path) -> Result<(), Failure> {
    let (body, bar) = upload(file(path).await?);
    let answer = connection.send(Method::POST, "/import", "application/jsonl", body).await;
    bar.finish_and_clear();
    let report: ImportReport = serde_json::from_slice(&whole(answer?).await?)?;
    tell(output, &report)
}

fn tell(output: Output, report: &ImportReport) -> Result<(), Failure> {
    for complaint in &report.complaints {
        note(&format!("line {}: {}", complaint.line, printable(&complaint.why)))?;
    }
    match output {
        Output::Json => output.json(report)?,
        Output::Text => output.line(&format!("{} imported, {} refused", report.applied, report.refused))?,
    }
    match report.refused {
        0 => Ok(()),
        refused => Err(Failure::failed(format!(
            "{refused} lines were refused; mend them and import the file again: what is in already is left alone"
        ))),
    }
}

type Input = Box<dyn AsyncRead + Send + Unpin>;

/// A file as the body of a request, and the bar that shows how far it is.
pub(super) fn upload((input, octets): (Input, Option<u64>)) -> (Body, ProgressBar) {
    let bar = progress(octets);
    (Body::new(Upload { input, bar: bar.clone(), buffer: vec![0; CHUNK] }), bar)
}

/// A file that is to be sent, and its octets where they are known; `-` is standard input.
pub(super) async fn file(file: &Path) -> Result<(Input, Option<u64>), Failure> {
    if file == Path::new("-") {
        return Ok((Box::new(File::open("/dev/stdin").await?), None));
    }
    let told = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Failure::no_such_thing(format!("there is no file {}", file.display())),
        _ => Failure::failed(format!("{} cannot be read: {error}", file.display())),
    };
    let opened = File::open(file).await.map_err(told)?;
    let octets = opened.metadata().await.map_err(told)?.len();
    Ok((Box::new(opened), Some(octets)))
}

fn progress(octets: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let Some(octets) = octets else { return ProgressBar::new_spinner() };
    let style = ProgressStyle::with_template("{bar:40} {percent:>3}% {binary_bytes_per_sec} {eta} left");
    ProgressBar::new(octets).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A file on its way to the server; it is read no faster than the server takes it.
struct Upload {
    input: Input,
    bar: ProgressBar,
    buffer: Vec<u8>,
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Self { input, bar, buffer } = &mut *self;
        let mut read = ReadBuf::new(buffer);
        match Pin::new(input).poll_read(context, &mut read) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Some(Err(error))),
            Poll::Ready(Ok(())) => {
                let chunk = Bytes::copy_from_slice(read.filled());
                bar.inc(chunk.len() as u64);
                Poll::Ready(if chunk.is_empty() { None } else { Some(Ok(Frame::data(chunk))) })
            }
        }
    }
}

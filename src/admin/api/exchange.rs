//! `/export` and `/import`: JSON lines, streamed in both directions. Neither is ever in memory whole.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use aide::openapi::{MediaType, ReferenceOr, RequestBody};
use aide::transform::TransformOperation;
use axum::Json;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::sync::mpsc;

use super::document::about;
use super::extract::Who;
use super::respond::Answer;
use super::run;
use crate::admin::context::Context;
use crate::admin::operations::exchange;
use crate::admin::problem::Problem;
use crate::directory::export::ImportReport;

/// One JSON object a line.
const LINES: &str = "application/jsonl";

/// Octets that are sent at a time.
const CHUNK: usize = 64 * 1024;

/// Chunks that may wait for a slow reader.
const WAITING: usize = 4;

pub(super) fn routes() -> ApiRouter<Arc<Context>> {
    ApiRouter::new()
        .api_route("/export", get_with(export, exporting))
        .api_route("/import", post_with(import, importing).layer(DefaultBodyLimit::disable()))
}

fn exporting(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    about("export", "The whole directory, as JSON lines")(operation).response_with::<200, String, _>(|mut response| {
        let lines = response.inner().content.shift_remove("text/plain; charset=utf-8").unwrap_or_default();
        response.inner().content.insert(LINES.into(), lines);
        response.description("One JSON object a line.")
    })
}

fn importing(mut operation: TransformOperation<'_>) -> TransformOperation<'_> {
    let content = [(LINES.to_owned(), MediaType::default())].into_iter().collect();
    let body = RequestBody { content, required: true, ..RequestBody::default() };
    operation.inner_mut().request_body = Some(ReferenceOr::Item(body));
    about("import", "Take an export in")(operation)
}

async fn export(State(context): State<Arc<Context>>, Who(who): Who) -> Result<Response, Problem> {
    run(State(Arc::clone(&context)), who, |_, caller| exchange::allowed(caller)).await?;
    let (sender, chunks) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        let mut out = io::BufWriter::with_capacity(CHUNK, Chunks { sender });
        let done = exchange::export(&context, &mut out).and_then(|()| out.flush());
        if let Err(error) = done {
            // The status line is out already: a broken body is what tells the reader that lines are missing.
            let _ = out.get_ref().sender.blocking_send(Err(io::Error::other(error.to_string())));
        }
    });
    Ok(([(CONTENT_TYPE, LINES)], Body::new(Lines { chunks })).into_response())
}

/// Where the blocking side writes.
struct Chunks {
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl Write for Chunks {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.sender.blocking_send(Ok(Bytes::copy_from_slice(text))).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The body that the async side sends.
struct Lines {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
}

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.chunks.poll_recv(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

async fn import(context: State<Arc<Context>>, Who(who): Who, body: Body) -> Answer<ImportReport> {
    let (sender, chunks) = mpsc::channel(WAITING);
    // Ends when the body does, or when the importer has stopped listening.
    let pump = async move {
        let mut body = body;
        while let Some(frame) = body.frame().await {
            let chunk = frame.map_err(io::Error::other).map(|frame| frame.into_data().unwrap_or_default());
            if sender.send(chunk).await.is_err() {
                return;
            }
        }
    };
    let importing =
        run(context, who, move |context, caller| exchange::import(context, caller, &mut io::BufReader::new(Given::new(chunks))));
    let ((), report) = tokio::join!(pump, importing);
    report.map(Json)
}

/// Where the blocking side reads.
struct Given {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    rest: Bytes,
}

impl Given {
    fn new(chunks: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self { chunks, rest: Bytes::new() }
    }
}

impl Read for Given {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.rest = chunk?,
                None => return Ok(0),
            }
        }
        let taken = self.rest.split_to(into.len().min(self.rest.len()));
        taken.as_ref().read(into)
    }
}

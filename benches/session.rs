//! The pure session: a whole dialogue with one 4 KiB message (goal: under 15 µs), and the decoding of text (goal: over
//! 2 GB/s).

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use restante::mail::QueueId;
use restante::protocol::data::{Decoder, Framing};
use restante::protocol::smtp::{Answer, BareNewline, Dialect, Encryption, Peer, Question, Reply, Session, Settings, Step, Trust, Vrfy};

/// Text as mail has it: lines of 70 to 80 characters.
fn text(octets: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(octets + 100);
    for line in 0.. {
        if text.len() >= octets {
            break;
        }
        text.extend((0..70 + line % 11).map(|at| b' ' + (at * 7 % 90 + 1) as u8).map(|octet| if octet == b'.' { b'x' } else { octet }));
        text.extend_from_slice(b"\r\n");
    }
    text
}

fn settings() -> Arc<Settings> {
    Arc::new(Settings {
        hostname: "mx.example.org".to_owned(),
        max_message_size: 50 << 20,
        max_recipients: 1000,
        max_errors: 10,
        max_line: None,
        bare_newline: BareNewline::Normalize,
        vrfy: Vrfy::Noncommittal,
        command_timeout: Duration::from_secs(300),
        min_rate: 100,
    })
}

/// Plays `writes`, one after the other, and gives the octets said.
fn play(settings: &Arc<Settings>, writes: &[&[u8]], now: Instant) -> usize {
    let peer = Peer { address: Some(IpAddr::from([192, 0, 2, 1])), name: None, trust: Trust::Ordinary };
    let mut session = Session::new(Dialect::Smtp, Arc::clone(settings), peer, Encryption::Unavailable, now);
    let (mut input, mut output, mut body) = (BytesMut::with_capacity(8192), Vec::new(), Vec::new());
    session.greet(&input, &mut output);
    for write in writes {
        input.extend_from_slice(write);
        loop {
            let answer = match session.advance(&mut input, &mut output, &mut body, now) {
                Step::Ask(Question::Recipient(_)) => Answer::Recipient(Ok(())),
                Step::Ask(Question::Begin) => Answer::Begin(Ok(())),
                Step::Ask(Question::Commit) => Answer::Committed(vec![Reply::Queued { id: QueueId::new(black_box(1)) }]),
                Step::Discard => continue,
                Step::Read | Step::StartTls | Step::Close => break,
            };
            session.answer(answer, &mut output, now);
        }
    }
    assert!(body.len() > 4000 && output.ends_with(b"221 2.0.0 Bye\r\n"));
    output.len()
}

fn dialogue(criterion: &mut Criterion) {
    let (settings, now) = (settings(), Instant::now());
    let message = [text(4096), b".\r\n".to_vec()].concat();
    let polite: [&[u8]; 6] = [
        b"EHLO client.example\r\n",
        b"MAIL FROM:<sender@example.com> SIZE=4096\r\n",
        b"RCPT TO:<alice@example.org>\r\n",
        b"DATA\r\n",
        &message,
        b"QUIT\r\n",
    ];
    criterion
        .bench_function("dialogue/one 4 KiB message, EHLO to QUIT", |bencher| bencher.iter(|| play(&settings, black_box(&polite), now)));
}

fn decode(criterion: &mut Criterion) {
    let text = text(1 << 20);
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Bytes(text.len() as u64));
    for (name, framing) in [("DATA", Framing::Dots), ("BDAT", Framing::Counted)] {
        for read in [16 * 1024, 64 * 1024] {
            let mut body = Vec::with_capacity(2 << 20);
            group.bench_function(format!("{name}, reads of {} KiB", read / 1024), |bencher| {
                bencher.iter(|| {
                    body.clear();
                    let mut decoder = Decoder::new(framing);
                    for piece in black_box(&text).chunks(read) {
                        decoder.decode(piece, &mut body);
                    }
                    black_box(body.len())
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, dialogue, decode);
criterion_main!(benches);

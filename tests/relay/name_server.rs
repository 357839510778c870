//! A name server that says what a test wants it to say. Its messages are put together with the library that the resolver is made of;
//! hickory-server would bring a second one, and does not lie.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, MX, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// What it says about one name and type.
pub enum Says {
    /// These records.
    Records(Vec<RData>),
    /// The name is known, and has none of that type.
    NoData,
    /// There is no such name.
    NoSuchName,
    /// It has failed.
    Failure,
    /// Nothing.
    Silence,
    /// An answer with the id of another question.
    WrongId,
    /// Octets that are no message.
    Garbage,
}

/// A name server on loopback.
pub struct NameServer {
    pub address: SocketAddr,
    questions: Arc<AtomicUsize>,
}

/// More than this goes over TCP.
const DATAGRAM: usize = 1200;

impl NameServer {
    /// Starts one that answers by `zone`, which is asked with names in lower case without their last dot.
    pub async fn start(zone: impl Fn(&str, RecordType) -> Says + Send + Sync + 'static) -> Self {
        let (udp, tcp) = bound().await;
        let address = udp.local_addr().unwrap();
        let (zone, questions) = (Arc::new(zone), Arc::new(AtomicUsize::new(0)));
        let (zone_too, count) = (Arc::clone(&zone), Arc::clone(&questions));
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            loop {
                let (octets, from) = udp.recv_from(&mut buffer).await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                if let Some(answer) = answer(&buffer[..octets], &*zone_too, DATAGRAM) {
                    udp.send_to(&answer, from).await.unwrap();
                }
            }
        });
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                let zone = Arc::clone(&zone);
                tokio::spawn(async move {
                    while let Ok(octets) = stream.read_u16().await {
                        let mut question = vec![0; usize::from(octets)];
                        stream.read_exact(&mut question).await.unwrap();
                        let Some(answer) = answer(&question, &*zone, usize::MAX) else { return };
                        stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
                        stream.write_all(&answer).await.unwrap();
                    }
                });
            }
        });
        Self { address, questions }
    }

    /// Questions over UDP so far.
    pub fn questions(&self) -> usize {
        self.questions.load(Ordering::Relaxed)
    }
}

/// A port that is free for both transports.
async fn bound() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

fn answer(octets: &[u8], zone: &dyn Fn(&str, RecordType) -> Says, most: usize) -> Option<Vec<u8>> {
    let question = Message::from_vec(octets).ok()?;
    let query = question.queries.first()?.clone();
    let name = query.name().to_ascii().to_lowercase();
    let mut message = Message::response(question.metadata.id, OpCode::Query);
    message.metadata.recursion_available = true;
    message.metadata.recursion_desired = true;
    message.add_query(query.clone());
    match zone(name.trim_end_matches('.'), query.query_type()) {
        Says::Records(records) => {
            let mut owner = query.name().clone();
            for data in records {
                let next = if let RData::CNAME(CNAME(target)) = &data { target.clone() } else { owner.clone() };
                message.add_answer(Record::from_rdata(owner, 60, data));
                owner = next;
            }
        }
        Says::NoData => {}
        Says::NoSuchName => message.metadata.response_code = ResponseCode::NXDomain,
        Says::Failure => message.metadata.response_code = ResponseCode::ServFail,
        Says::Silence => return None,
        Says::WrongId => message.metadata.id = message.metadata.id.wrapping_add(1),
        Says::Garbage => return Some(b"this is no message".to_vec()),
    }
    let whole = message.to_vec().unwrap();
    if whole.len() <= most {
        return Some(whole);
    }
    message.answers.clear();
    message.metadata.truncation = true;
    Some(message.to_vec().unwrap())
}

pub fn a(ip: [u8; 4]) -> RData {
    RData::A(A(Ipv4Addr::from(ip)))
}

pub fn aaaa(ip: &str) -> RData {
    let Ok(IpAddr::V6(ip)) = ip.parse() else { panic!("{ip}") };
    RData::AAAA(AAAA(ip))
}

pub fn mx(preference: u16, host: &str) -> RData {
    RData::MX(MX::new(preference, Name::from_ascii(format!("{}.", host.trim_end_matches('.'))).unwrap()))
}

pub fn txt(text: &str) -> RData {
    RData::TXT(TXT::new(vec![text.to_owned()]))
}

pub fn cname(target: &str) -> RData {
    RData::CNAME(CNAME(Name::from_ascii(format!("{target}.")).unwrap()))
}

//! A small HTTP server that answers what a test tells it to, to real SDK clients.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

/// What the server does with one request.
#[derive(Clone)]
pub enum Reply {
    /// Answers.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: String },
    /// Closes the connection after the request was read.
    Cut,
    /// Says that it will send more than it does, then closes.
    CutInside,
    /// Never answers.
    Hang,
    /// Answers when as many requests as the barrier wants are there.
    Together(Arc<Barrier>),
}

impl Reply {
    pub fn xml(status: u16, body: impl Into<String>) -> Self {
        let headers = vec![
            ("content-type", "application/xml".into()),
            ("x-amz-request-id", "S3REQUEST".into()),
            ("x-amzn-requestid", "AWSREQUEST".into()),
        ];
        Self::Answer { status, headers, body: body.into() }
    }

    /// An error as S3 writes it; its own header alone carries the request id.
    pub fn s3(status: u16, code: &str, message: &str) -> Self {
        Self::Answer {
            status,
            headers: vec![("x-amz-request-id", "S3REQUEST".into())],
            body: format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"),
        }
    }

    /// An error as IAM and STS write it.
    pub fn query(status: u16, code: &str, message: &str) -> Self {
        Self::Answer {
            status,
            headers: vec![("x-amzn-requestid", "AWSREQUEST".into())],
            body: format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                 <RequestId>AWSREQUEST</RequestId></ErrorResponse>"
            ),
        }
    }

    pub fn bare(status: u16, headers: Vec<(&'static str, String)>) -> Self {
        Self::Answer { status, headers, body: String::new() }
    }
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET /bucket?versioning HTTP/1.1`
    pub line: String,
    pub headers: String,
}

#[derive(Default)]
struct Seen {
    requests: Vec<Request>,
    connections: usize,
}

/// Ends with the runtime of its test.
pub struct Server {
    pub url: String,
    seen: Arc<Mutex<Seen>>,
}

impl Server {
    /// Answers the requests in the order they come; the last reply is for all that follow.
    pub async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let replies = Arc::new(Mutex::new(VecDeque::from(replies)));
        tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    seen.lock().unwrap().connections += 1;
                    tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&replies)));
                }
            }
        });
        Self { url, seen }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().requests.clone()
    }

    pub fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }
}

async fn serve(stream: TcpStream, seen: Arc<Mutex<Seen>>, replies: Arc<Mutex<VecDeque<Reply>>>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        seen.lock().unwrap().requests.push(request);
        let reply = {
            let mut replies = replies.lock().unwrap();
            if replies.len() > 1 { replies.pop_front().unwrap() } else { replies.front().unwrap().clone() }
        };
        let text = match reply {
            Reply::Answer { status, headers, body } => {
                let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                format!("HTTP/1.1 {status} Status\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
            }
            Reply::Cut => return,
            Reply::CutInside => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n<Tagging>").await;
                return;
            }
            Reply::Hang => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                return;
            }
            Reply::Together(barrier) => {
                barrier.wait().await;
                "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into()
            }
        };
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    if stream.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let mut headers = String::new();
    let mut length = 0;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        if header.trim().is_empty() {
            break;
        }
        let header = header.to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        headers.push_str(&header);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { line: line.trim().to_owned(), headers })
}

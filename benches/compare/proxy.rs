//! An HTTP proxy before the emulator that adds a round trip to every request and counts them.
//!
//! The one of the tests (`tests/support/proxy.rs`) keeps every request and opens a connection upstream for each: that
//! would be measured too.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How long a connection to the emulator may have been idle and is used again: well below what a server waits before
/// it closes one.
const IDLE: Duration = Duration::from_secs(1);

/// How often each call was made. S3's are `PUT ?versioning`, those of IAM and STS their action.
pub type Calls = BTreeMap<String, usize>;

#[derive(Default)]
struct Shared {
    delay_micros: AtomicU64,
    calls: Mutex<Calls>,
}

/// The proxy. It runs until the runtime ends.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Stands before `upstream` on a loopback port of its own.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let serving = shared.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = serving.clone();
                tokio::spawn(async move {
                    // A client that ends while a connection is open is how every run ends.
                    let _ = serve(client, upstream, &shared).await;
                });
            }
        });
        Ok(Self { address, shared })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes every further request take at least this long: half on its way there, half on the way back.
    pub fn delay(&self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.shared.delay_micros.store(micros, Ordering::Relaxed);
    }

    /// The calls since the last time this was asked.
    pub fn take_calls(&self) -> Calls {
        std::mem::take(&mut *self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shared {
    fn count(&self, request: &Message) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(request.call()).or_default() += 1;
    }

    async fn half_way(&self) {
        let micros = self.delay_micros.load(Ordering::Relaxed);
        if micros > 0 {
            tokio::time::sleep(Duration::from_micros(micros / 2)).await;
        }
    }
}

async fn serve(client: TcpStream, upstream_address: SocketAddr, shared: &Shared) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut client = BufReader::new(client);
    let mut upstream: Option<(BufReader<TcpStream>, Instant)> = None;
    while let Some(mut request) = Message::read_head(&mut client).await? {
        if request.take_header("expect").is_some() {
            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        request.read_body(&mut client, Otherwise::Empty).await?;
        shared.count(&request);
        shared.half_way().await;
        let mut connection = match upstream.take().filter(|(_, used)| used.elapsed() < IDLE) {
            Some((connection, _)) => connection,
            None => {
                let connection = TcpStream::connect(upstream_address).await?;
                connection.set_nodelay(true)?;
                BufReader::new(connection)
            }
        };
        connection.write_all(&request.bytes()).await?;
        let answer = loop {
            let Some(mut answer) = Message::read_head(&mut connection).await? else {
                return Err(broken("the emulator closed the connection"));
            };
            let status = answer.status();
            if (100..200).contains(&status) {
                continue;
            }
            if request.method() != "HEAD" && status != 204 && status != 304 {
                answer.read_body(&mut connection, Otherwise::ToTheEnd).await?;
            }
            break answer;
        };
        let last = answer.is_last;
        shared.half_way().await;
        client.write_all(&answer.bytes()).await?;
        if last || answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            return Ok(());
        }
        upstream = Some((connection, Instant::now()));
    }
    Ok(())
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// What a body is when neither its length nor chunks are announced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Otherwise {
    Empty,
    ToTheEnd,
}

/// A request or an answer, as it came.
struct Message {
    first: String,
    headers: Vec<(String, String)>,
    /// With the chunks' own lines, if it came in chunks.
    body: Vec<u8>,
    /// Whether the connection's end is the body's end.
    is_last: bool,
}

impl Message {
    /// The first line and the headers; `None` at the end of the connection.
    async fn read_head(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let mut first = String::new();
        if reader.read_line(&mut first).await? == 0 {
            return Ok(None);
        }
        let mut headers = Vec::new();
        let mut line = String::new();
        loop {
            line.clear();
            if reader.read_line(&mut line).await? == 0 {
                return Err(broken("the head ends early"));
            }
            let text = line.trim_end();
            if text.is_empty() {
                break;
            }
            let (name, value) = text.split_once(':').ok_or_else(|| broken("a header without a colon"))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Some(Self { first: first.trim_end().to_owned(), headers, body: Vec::new(), is_last: false }))
    }

    async fn read_body(&mut self, reader: &mut BufReader<TcpStream>, otherwise: Otherwise) -> io::Result<()> {
        if self.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            return self.read_chunks(reader).await;
        }
        if let Some(length) = self.header("content-length") {
            let length = length.parse().map_err(|_| broken("a content-length that is no number"))?;
            self.body = vec![0; length];
            reader.read_exact(&mut self.body).await?;
        } else if otherwise == Otherwise::ToTheEnd {
            self.is_last = true;
            reader.read_to_end(&mut self.body).await?;
        }
        Ok(())
    }

    async fn read_chunks(&mut self, reader: &mut BufReader<TcpStream>) -> io::Result<()> {
        loop {
            let from = self.body.len();
            reader.read_until(b'\n', &mut self.body).await?;
            let line = String::from_utf8_lossy(&self.body[from..]).into_owned();
            let digits = line.trim().split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(digits, 16).map_err(|_| broken("a chunk without a size"))?;
            if size == 0 {
                break;
            }
            let from = self.body.len();
            self.body.resize(from + size + 2, 0);
            reader.read_exact(&mut self.body[from..]).await?;
        }
        // The trailer ends with an empty line.
        loop {
            let from = self.body.len();
            if reader.read_until(b'\n', &mut self.body).await? == 0 {
                return Err(broken("the trailer ends early"));
            }
            if self.body[from..].trim_ascii().is_empty() {
                return Ok(());
            }
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{}\r\n", self.first);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn take_header(&mut self, name: &str) -> Option<String> {
        let place = self.headers.iter().position(|(key, _)| key == name)?;
        Some(self.headers.remove(place).1)
    }

    fn method(&self) -> &str {
        self.first.split(' ').next().unwrap_or_default()
    }

    fn status(&self) -> u16 {
        self.first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    /// The name to count a request by.
    fn call(&self) -> String {
        if self.header("content-type").is_some_and(|value| value.contains("x-www-form-urlencoded")) {
            let body = String::from_utf8_lossy(&self.body);
            if let Some(action) = body.split('&').find_map(|pair| pair.strip_prefix("Action=")) {
                return action.to_owned();
            }
        }
        let target = self.first.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let key = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default()).find(|key| *key != "x-id");
        let place = match path.trim_matches('/').split('/').filter(|part| !part.is_empty()).count() {
            0 => "/",
            1 => "/bucket",
            _ => "/bucket/key",
        };
        match key {
            Some(key) if !key.is_empty() => format!("{} {place}?{key}", self.method()),
            _ => format!("{} {place}", self.method()),
        }
    }
}

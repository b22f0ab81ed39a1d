//! An HTTP proxy that stands before an emulator and fails on command.
//!
//! It logs every request, and does to each what the first rule says that fits and is not used up. So a test can show
//! what happens when an answer is late, is lost, or lies, before or after the call took effect.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// How many came before it.
    pub index: usize,
    pub method: String,
    /// The path, percent-encoded as it came.
    pub path: String,
    /// What follows the `?`, empty if nothing does.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `PUT /bucket/key?acl`.
    pub fn line(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{} {}{mark}{}", self.method, self.path, self.query)
    }
}

/// An answer that the proxy makes up.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    /// An error as S3 and the query services write it.
    pub fn xml(status: u16, code: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>made up by the proxy</Message>\
             <RequestId>PROXY1</RequestId></Error>"
        );
        let headers =
            [("content-type", "application/xml"), ("x-amz-request-id", "PROXY1")].map(|(k, v)| (k.into(), v.into()));
        Self { status, headers: headers.into(), body }
    }

    /// An error as IAM and STS write it.
    pub fn query(status: u16, code: &str) -> Self {
        let body = format!(
            "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>made up by the proxy</Message></Error><RequestId>PROXY1</RequestId></ErrorResponse>"
        );
        Self { body, ..Self::xml(status, code) }
    }

    /// An error as the JSON services write it.
    pub fn json(status: u16, code: &str) -> Self {
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amzn-requestid", "PROXY1")]
            .map(|(k, v)| (k.into(), v.into()));
        Self { status, headers: headers.into(), body: format!("{{\"__type\":\"{code}\",\"message\":\"made up\"}}") }
    }
}

/// What is done to a request.
#[derive(Debug, Clone)]
pub enum Action {
    /// It is passed on after a while.
    Delay(Duration),
    /// It is passed on when the test says so.
    Hold(watch::Receiver<bool>),
    /// It never gets there; this is answered.
    Refuse(Reply),
    /// It takes effect; this is answered instead of what was.
    Mislead(Reply),
    /// The connection is cut before it takes effect.
    CutBefore,
    /// It takes effect, and the connection is cut instead of an answer.
    CutAfter,
    /// It never gets there, and nothing is ever answered.
    HangBefore,
    /// It takes effect, and nothing is ever answered.
    HangAfter,
    /// It takes effect, and the answer has these headers replaced.
    Headers(Vec<(String, String)>),
}

type Predicate = Box<dyn Fn(&Request) -> bool + Send>;

struct Rule {
    fits: Predicate,
    left: usize,
    action: Action,
}

#[derive(Default)]
struct Shared {
    rules: Mutex<Vec<Rule>>,
    /// Every request with the status that upstream gave it, once it has.
    log: Mutex<Vec<(Request, Option<u16>)>>,
    /// What upstream answered to whatever matched [`Proxy::remember`], whoever got to hear it.
    remembered: Mutex<Vec<String>>,
    memorable: Mutex<Option<Predicate>>,
    /// How many requests are on their way to upstream.
    passing: AtomicUsize,
}

/// Counts a request as on its way for as long as it lives.
struct Passing<'a>(&'a AtomicUsize);

impl<'a> Passing<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn log_and_decide(&self, mut request: Request) -> (Request, Option<Action>) {
        {
            let mut log = self.log.lock().unwrap();
            request.index = log.len();
            log.push((request.clone(), None));
        }
        let mut rules = self.rules.lock().unwrap();
        let rule = rules.iter_mut().find(|rule| rule.left > 0 && (rule.fits)(&request));
        let action = rule.map(|rule| {
            rule.left -= 1;
            rule.action.clone()
        });
        (request, action)
    }
}

/// The proxy, for as long as it is not dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Stands before `upstream` on a loopback port of its own.
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let serving = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = serving.clone();
                tokio::spawn(async move {
                    // A client that goes away is nothing to report: that is what half of these tests are about.
                    let _ = serve(client, upstream, &shared).await;
                });
            }
        });
        Self { address, shared, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Does `action` to the next request that `fits`.
    pub fn once(&self, fits: impl Fn(&Request) -> bool + Send + 'static, action: Action) {
        self.times(1, fits, action);
    }

    /// Does `action` to every request that `fits`.
    pub fn always(&self, fits: impl Fn(&Request) -> bool + Send + 'static, action: Action) {
        self.times(usize::MAX, fits, action);
    }

    /// Does `action` to the next `count` requests that `fits`. Rules that were added first go first.
    pub fn times(&self, count: usize, fits: impl Fn(&Request) -> bool + Send + 'static, action: Action) {
        self.shared.rules.lock().unwrap().push(Rule { fits: Box::new(fits), left: count, action });
    }

    /// Does `action` to the request of that index.
    pub fn at(&self, index: usize, action: Action) {
        self.once(move |request| request.index == index, action);
    }

    /// Forgets rules and log.
    pub fn reset(&self) {
        self.shared.rules.lock().unwrap().clear();
        self.shared.log.lock().unwrap().clear();
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.log.lock().unwrap().iter().map(|(request, _)| request.clone()).collect()
    }

    /// The status that upstream gave the request of that index, once it has.
    pub fn status(&self, index: usize) -> Option<u16> {
        self.shared.log.lock().unwrap().get(index).and_then(|(_, status)| *status)
    }

    /// Keeps upstream's answers to every request that `fits`, for [`Self::remembered`]; `reset` does not end it.
    pub fn remember(&self, fits: impl Fn(&Request) -> bool + Send + 'static) {
        *self.shared.memorable.lock().unwrap() = Some(Box::new(fits));
    }

    /// Those answers, also the ones that the client never got.
    pub fn remembered(&self) -> Vec<String> {
        self.shared.remembered.lock().unwrap().clone()
    }

    /// Forgets the rules; the log stays.
    pub fn behave(&self) {
        self.shared.rules.lock().unwrap().clear();
    }

    /// Returns when no request is on its way to upstream: what a client that is gone had sent has then taken effect.
    pub async fn quiet(&self) {
        let seen = || self.shared.log.lock().unwrap().len();
        loop {
            let before = seen();
            // What was sent a moment ago may not have been read yet.
            tokio::time::sleep(Duration::from_millis(5)).await;
            if self.shared.passing.load(Ordering::SeqCst) == 0 && seen() == before {
                return;
            }
        }
    }

    /// How many requests there were so far that `fits`.
    pub fn count(&self, fits: impl Fn(&Request) -> bool) -> usize {
        self.shared.log.lock().unwrap().iter().filter(|(request, _)| fits(request)).count()
    }

    /// How many of those took effect: upstream answered 2xx, whatever the client then heard.
    pub fn effects(&self, fits: impl Fn(&Request) -> bool) -> usize {
        let took = |status: &Option<u16>| status.is_some_and(|status| (200..300).contains(&status));
        self.shared.log.lock().unwrap().iter().filter(|(request, status)| fits(request) && took(status)).count()
    }
}

async fn serve(client: TcpStream, upstream: SocketAddr, shared: &Shared) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut client = BufReader::new(client);
    while let Some(request) = read_request(&mut client).await? {
        let (request, action) = shared.log_and_decide(request);
        match &action {
            Some(Action::Delay(delay)) => tokio::time::sleep(*delay).await,
            Some(Action::Hold(gate)) => {
                let _ = gate.clone().wait_for(|open| *open).await;
            }
            Some(Action::Refuse(reply)) => {
                write_reply(&mut client, reply, &request.method).await?;
                continue;
            }
            Some(Action::CutBefore) => return Ok(()),
            Some(Action::HangBefore) => return hang(&mut client).await,
            _ => {}
        }
        let passing = Passing::new(&shared.passing);
        let mut reply = forward(upstream, &request).await?;
        drop(passing);
        if let Some(entry) = shared.log.lock().unwrap().get_mut(request.index) {
            entry.1 = Some(reply.status);
        }
        if shared.memorable.lock().unwrap().as_ref().is_some_and(|fits| fits(&request)) {
            shared.remembered.lock().unwrap().push(String::from_utf8_lossy(&reply.body).into_owned());
        }
        match action {
            Some(Action::Mislead(lie)) => reply = Answer::from(lie),
            Some(Action::CutAfter) => return Ok(()),
            Some(Action::HangAfter) => return hang(&mut client).await,
            Some(Action::Headers(headers)) => {
                reply.headers.retain(|(name, _)| !headers.iter().any(|(new, _)| new.eq_ignore_ascii_case(name)));
                reply.headers.extend(headers);
            }
            _ => {}
        }
        write_answer(&mut client, &reply, &request.method).await?;
    }
    Ok(())
}

/// Holds the connection until the client gives up.
async fn hang(client: &mut BufReader<TcpStream>) -> std::io::Result<()> {
    let mut rest = [0; 64];
    while client.read(&mut rest).await? > 0 {}
    Ok(())
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self { status: reply.status, headers: reply.headers, body: reply.body.into_bytes() }
    }
}

fn broken(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned())
}

/// The first line and the headers; `None` at the end of the connection.
async fn read_head<R: AsyncBufReadExt + Unpin>(
    reader: &mut R,
) -> std::io::Result<Option<(String, Vec<(String, String)>)>> {
    let mut first = String::new();
    if reader.read_line(&mut first).await? == 0 {
        return Ok(None);
    }
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await? == 0 {
            return Err(broken("the head ends early"));
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(Some((first.trim_end().to_owned(), headers)));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| broken("a header without a colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// `None`: neither length nor chunks are given.
async fn read_body<R: AsyncBufReadExt + Unpin>(
    reader: &mut R,
    headers: &[(String, String)],
) -> std::io::Result<Option<Vec<u8>>> {
    let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    if header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        let mut body = Vec::new();
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).await?;
            let digits = size.trim().split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(digits, 16).map_err(|_| broken("a chunk without a size"))?;
            if size == 0 {
                let mut trailer = String::from("-");
                while !trailer.trim_end().is_empty() {
                    trailer.clear();
                    reader.read_line(&mut trailer).await?;
                }
                return Ok(Some(body));
            }
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).await?;
            body.extend_from_slice(&chunk[..size]);
        }
    }
    let Some(length) = header("content-length") else { return Ok(None) };
    let mut body = vec![0; length.parse().map_err(|_| broken("a content-length that is no number"))?];
    reader.read_exact(&mut body).await?;
    Ok(Some(body))
}

async fn read_request(client: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let Some((first, headers)) = read_head(client).await? else { return Ok(None) };
    let mut parts = first.split(' ');
    let (Some(method), Some(target)) = (parts.next(), parts.next()) else { return Err(broken("no request line")) };
    if headers.iter().any(|(name, value)| name == "expect" && value.eq_ignore_ascii_case("100-continue")) {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let body = read_body(client, &headers).await?.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
    Ok(Some(Request { index: 0, method, path, query, headers, body }))
}

/// Passes a request on, over a connection of its own, and reads the whole answer.
async fn forward(upstream: SocketAddr, request: &Request) -> std::io::Result<Answer> {
    let mut upstream = BufReader::new(TcpStream::connect(upstream).await?);
    let mark = if request.query.is_empty() { "" } else { "?" };
    let mut head = format!("{} {}{mark}{} HTTP/1.1\r\n", request.method, request.path, request.query);
    for (name, value) in &request.headers {
        // What concerns one connection only is not passed on.
        if !["connection", "expect", "transfer-encoding", "content-length"].contains(&name.as_str()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str(&format!("connection: close\r\ncontent-length: {}\r\n\r\n", request.body.len()));
    upstream.write_all(head.as_bytes()).await?;
    upstream.write_all(&request.body).await?;
    let (status, headers) = loop {
        let (first, headers) = read_head(&mut upstream).await?.ok_or_else(|| broken("upstream said nothing"))?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
        let status = status.ok_or_else(|| broken("upstream gave no status"))?;
        if status != 100 {
            break (status, headers);
        }
    };
    let body = if request.method == "HEAD" || status == 204 || status == 304 {
        Vec::new()
    } else if let Some(body) = read_body(&mut upstream, &headers).await? {
        body
    } else {
        let mut body = Vec::new();
        upstream.read_to_end(&mut body).await?;
        body
    };
    Ok(Answer { status, headers, body })
}

async fn write_reply(client: &mut BufReader<TcpStream>, reply: &Reply, method: &str) -> std::io::Result<()> {
    write_answer(client, &Answer::from(reply.clone()), method).await
}

async fn write_answer(client: &mut BufReader<TcpStream>, answer: &Answer, method: &str) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Answer\r\n", answer.status);
    let mut length = Some(answer.body.len().to_string());
    for (name, value) in &answer.headers {
        match name.as_str() {
            "connection" | "transfer-encoding" => {}
            // The length of what HEAD does not send is upstream's to say.
            "content-length" if method == "HEAD" => length = Some(value.clone()),
            "content-length" => {}
            _ => head.push_str(&format!("{name}: {value}\r\n")),
        }
    }
    if answer.status == 204 || answer.status == 304 {
        length = None;
    }
    if let Some(length) = length {
        head.push_str(&format!("content-length: {length}\r\n"));
    }
    head.push_str("\r\n");
    client.write_all(head.as_bytes()).await?;
    if method != "HEAD" && answer.status != 204 && answer.status != 304 {
        client.write_all(&answer.body).await?;
    }
    client.flush().await
}

//! Plain TCP over loopback between two processes: what the machine itself can do.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::machine::Running;
use crate::measure::Load;

/// The argument that makes this program the other end.
pub(crate) const SERVER_ARGUMENT: &str = "--raw-tcp-server";
/// About what a small tuple with its frame takes on the wire.
const SMALL_BYTES: usize = 80;

/// Echoes or swallows, as the first byte of each connection asks. Its port is its first output.
pub(crate) fn serve() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    writeln!(io::stdout(), "{}", listener.local_addr()?.port())?;
    for socket in listener.incoming() {
        let mut socket = socket?;
        socket.set_nodelay(true)?;
        let mut mode = [0];
        socket.read_exact(&mut mode)?;
        if mode == [b'e'] { echo(socket)? } else { swallow(socket)? }
    }
    Ok(())
}

fn echo(mut socket: TcpStream) -> io::Result<()> {
    let mut buffer = [0; SMALL_BYTES];
    while socket.read_exact(&mut buffer).is_ok() {
        socket.write_all(&buffer)?;
    }
    Ok(())
}

/// Reads to the end, then answers one byte, so that the sender knows that all has arrived.
fn swallow(mut socket: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    while socket.read(&mut buffer)? > 0 {}
    socket.write_all(b"!")
}

/// The other end as a process of its own.
pub(crate) struct Peer {
    process: Running,
    port: u16,
}

impl Peer {
    pub(crate) fn start() -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let command = command.arg(SERVER_ARGUMENT).stdout(Stdio::piped());
        let mut process = Running::start_piped(command)?;
        let mut text = String::new();
        if let Some(output) = process.0.stdout.take() {
            io::BufRead::read_line(&mut io::BufReader::new(output), &mut text)?;
        }
        let port = text.trim().parse().map_err(io::Error::other)?;
        Ok(Self { process, port })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The same load without any protocol, where that makes sense.
    pub(crate) fn run(&self, load: Load) -> io::Result<Option<Vec<f64>>> {
        match load {
            Load::PingPong { rounds } => self.ping_pong(rounds).map(Some),
            Load::OneWay { messages } => self.write(SMALL_BYTES, messages).map(|n| Some(vec![n])),
            Load::Binaries { size, total } => {
                // A write of 64 MiB is no different from 64 of 1 MiB.
                let size = size.min(1024 * 1024);
                let count = total / size;
                let rate = self.write(size, count)?;
                Ok(Some(vec![rate * as_f64(size) / 1_048_576.0]))
            }
            _ => Ok(None),
        }
    }

    fn connect(&self, mode: u8) -> io::Result<TcpStream> {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        socket.set_nodelay(true)?;
        socket.write_all(&[mode])?;
        Ok(socket)
    }

    fn ping_pong(&self, rounds: usize) -> io::Result<Vec<f64>> {
        let mut socket = self.connect(b'e')?;
        let mut buffer = [0; SMALL_BYTES];
        let mut times = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let start = Instant::now();
            socket.write_all(&buffer)?;
            socket.read_exact(&mut buffer)?;
            times.push(start.elapsed().as_secs_f64() * 1e9);
        }
        Ok(percentiles(times))
    }

    /// Writes of `size` bytes a second.
    fn write(&self, size: usize, count: usize) -> io::Result<f64> {
        let mut socket = self.connect(b's')?;
        let data = vec![b'x'; size];
        let start = Instant::now();
        for _ in 0..count {
            socket.write_all(&data)?;
        }
        socket.shutdown(std::net::Shutdown::Write)?;
        socket.read_exact(&mut [0])?;
        Ok(as_f64(count) / start.elapsed().as_secs_f64())
    }
}

/// The median and the 99th of a hundred.
pub(crate) fn percentiles(mut times: Vec<f64>) -> Vec<f64> {
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        let index = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times.get(index).copied().unwrap_or_default()
    };
    vec![at(50), at(99)]
}

/// Counts and sizes as numbers to divide; all are far below 2^52.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn as_f64(number: usize) -> f64 {
    number as f64
}

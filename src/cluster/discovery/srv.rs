//! SRV records of a DNS name: the hosts that a service runs on.
// spec: RFC 2782

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::str::FromStr as _;

use bytes::Bytes;
use domain::base::iana::Rcode;
use domain::base::{Message, Name, Rtype};
use domain::rdata::Srv;
use domain::resolv::StubResolver;
use domain::resolv::stub::conf::{ResolvConf, ServerConf, Transport};

use crate::cluster::limits::PEERS_MAX;

/// Asks for the SRV records of names.
pub(super) struct SrvResolver(StubResolver);

impl SrvResolver {
    /// Asks `server`, or the name servers of the system.
    pub(super) fn new(server: Option<SocketAddr>) -> Self {
        let conf = match server {
            None => ResolvConf::default(),
            Some(address) => {
                let mut conf = ResolvConf::new();
                conf.servers.push(ServerConf::new(address, Transport::UdpTcp));
                conf.finalize();
                conf
            }
        };
        Self(StubResolver::from_conf(conf))
    }

    /// The hosts in the records of `query`. None at all is a failure: somebody runs, namely us.
    ///
    /// # Errors
    /// Says what the name server, or the way to it, has against it.
    pub(super) async fn targets(&self, query: &str) -> Result<BTreeSet<String>, String> {
        let name = Name::<Vec<u8>>::from_str(query).map_err(|error| error.to_string())?;
        let answer = self.0.query((&name, Rtype::SRV)).await.map_err(|error| error.to_string())?;
        targets(&answer.into_message())
    }
}

impl std::fmt::Debug for SrvResolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SrvResolver")
    }
}

/// The targets without their final dots; ports and weights say nothing about an Erlang node.
fn targets(answer: &Message<Bytes>) -> Result<BTreeSet<String>, String> {
    let code = answer.header().rcode();
    if code != Rcode::NOERROR {
        return Err(format!("the name server says {code}"));
    }
    let records = answer.answer().map_err(|error| error.to_string())?;
    let mut hosts = BTreeSet::new();
    for record in records.limit_to_in::<Srv<_>>().take(PEERS_MAX) {
        let record = record.map_err(|error| error.to_string())?;
        let host = record.data().target().to_string();
        let host = host.trim_end_matches('.');
        // "." as target: the service is decidedly not there.
        if !host.is_empty() {
            hosts.insert(host.to_owned());
        }
    }
    if hosts.is_empty() {
        return Err("there are no SRV records".to_owned());
    }
    Ok(hosts)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use domain::base::{MessageBuilder, Ttl};
    use tokio::net::UdpSocket;

    use super::*;

    fn name(text: &str) -> Name<Vec<u8>> {
        Name::from_str(text).expect("a name")
    }

    fn answer(query: &Message<&[u8]>, code: Rcode, hosts: &[&str]) -> Vec<u8> {
        let builder = MessageBuilder::new_vec();
        let mut answer = builder.start_answer(query, code).expect("an answer");
        for host in hosts {
            let srv = Srv::new(0, 10, 9100, name(host));
            answer.push((name("har.test"), Ttl::from_secs(5), srv)).expect("room");
        }
        answer.finish()
    }

    /// Answers the first question by `respond`.
    async fn server(code: Rcode, hosts: &'static [&'static str]) -> SocketAddr {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = socket.local_addr().expect("an address");
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.expect("a question");
                let query = Message::from_octets(&buffer[..length]).expect("DNS");
                socket.send_to(&answer(&query, code, hosts), from).await.expect("sent");
            }
        });
        address
    }

    async fn asked(code: Rcode, hosts: &'static [&'static str]) -> Result<Vec<String>, String> {
        let resolver = SrvResolver::new(Some(server(code, hosts).await));
        let hosts = resolver.targets("har.test").await?;
        assert_eq!(resolver.targets("har.test").await.as_ref(), Ok(&hosts), "asked again");
        Ok(hosts.into_iter().collect())
    }

    #[tokio::test]
    async fn targets_are_the_hosts_without_the_final_dot() {
        let hosts = asked(Rcode::NOERROR, &["har-1.har.test", "har-0.har.test", "har-0.har.test"]);
        assert_eq!(hosts.await, Ok(["har-0.har.test", "har-1.har.test"].map(str::to_owned).into()));
    }

    #[tokio::test]
    async fn an_error_and_an_empty_answer_are_failures() {
        assert!(asked(Rcode::NXDOMAIN, &[]).await.unwrap_err().contains("NXDOMAIN"));
        assert!(asked(Rcode::SERVFAIL, &[]).await.unwrap_err().contains("SERVFAIL"));
        assert!(asked(Rcode::NOERROR, &[]).await.unwrap_err().contains("no SRV"));
        assert!(asked(Rcode::NOERROR, &["."]).await.unwrap_err().contains("no SRV"));
        let resolver = SrvResolver::new(None);
        assert!(resolver.targets("a..b").await.is_err());
    }

    #[test]
    fn damaged_answers_are_survived() {
        let mut query = MessageBuilder::new_vec().question();
        query.push((name("har.test"), Rtype::SRV)).expect("room");
        let query = query.finish();
        let query = Message::from_octets(&query[..]).expect("DNS");
        let whole = answer(&query, Rcode::NOERROR, &["a.har.test", "b.har.test"]);
        for at in 0..whole.len() {
            for value in [0, 1, 0xc0, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                for bytes in [damaged, whole[..at].to_vec()] {
                    if let Ok(message) = Message::from_octets(Bytes::from(bytes)) {
                        let _ = targets(&message);
                    }
                }
            }
        }
        let message = Message::from_octets(Bytes::from(whole)).expect("DNS");
        assert_eq!(targets(&message).map(|hosts| hosts.len()), Ok(2));
    }
}

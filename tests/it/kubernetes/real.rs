//! A real kube-apiserver with its etcd, without the rest of a cluster: what a kubelet would say of pods
//! is said by the test. `HAR_KUBE_APISERVER` names the program (`test/kube_apiserver` makes one).

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::command::Home;
use crate::running::{Running, eventually, free_port};

/// May do everything.
const ADMIN: &str = "admin-of-the-test";

/// See the [module](self).
pub(super) struct KubeApi {
    pub(super) port: u16,
    /// The CA to trust, in PEM.
    pub(super) ca: String,
    certificate: CertificateDer<'static>,
    etcd_port: u16,
    home: Home,
    server: Option<Running>,
    _etcd: Running,
}

impl KubeApi {
    /// Starts both, with a namespace `mesh` whose service account `har` may read pods.
    pub(super) fn start() -> Self {
        let home = Home::new();
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .expect("a name")
            .self_signed(&key)
            .expect("a certificate");
        home.file("server.crt", &certificate.pem());
        home.file("server.key", &key.serialize_pem());
        // Signs the tokens of service accounts.
        let accounts = rcgen::KeyPair::generate().expect("a key");
        home.file("accounts.key", &accounts.serialize_pem());
        home.file("accounts.pub", &accounts.public_key_pem());
        home.file("tokens.csv", &format!("{ADMIN},admin,1,system:masters\n"));

        let (etcd_port, peer_port) = (free_port(), free_port());
        let (clients, peers) = (local("http", etcd_port), local("http", peer_port));
        let mut command = home.program("etcd");
        command.args(["--data-dir", "etcd", "--listen-client-urls", &clients]);
        command.args(["--advertise-client-urls", &clients, "--listen-peer-urls", &peers]);
        command.args(["--initial-advertise-peer-urls", &peers]);
        command.args(["--initial-cluster", &format!("default={peers}")]);
        let mut api = Self {
            port: free_port(),
            ca: certificate.pem(),
            certificate: certificate.der().clone(),
            etcd_port,
            home,
            server: None,
            _etcd: Running::start(command),
        };
        api.serve();
        api.create("/api/v1/namespaces", &json!({"metadata": {"name": "mesh"}}));
        api.create(
            &rbac("roles"),
            &json!({"metadata": {"name": "har"},
                "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}]}),
        );
        api.create(&core("serviceaccounts"), &json!({"metadata": {"name": "har"}}));
        api.allow();
        api
    }

    fn serve(&mut self) {
        let program = std::env::var("HAR_KUBE_APISERVER").expect(
            "HAR_KUBE_APISERVER names a kube-apiserver; `test/run --only kubernetes` makes one",
        );
        let mut command = self.home.program(&program);
        command.args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"]);
        command.arg(format!("--etcd-servers={}", local("http", self.etcd_port)));
        command.arg(format!("--secure-port={}", self.port));
        command.args(["--tls-cert-file=server.crt", "--tls-private-key-file=server.key"]);
        command.args(["--service-account-issuer=https://mesh", "--token-auth-file=tokens.csv"]);
        command.args(["--service-account-key-file=accounts.pub", "--authorization-mode=RBAC"]);
        command.args(["--service-account-signing-key-file=accounts.key", "--cert-dir=certs"]);
        command.args(["--service-cluster-ip-range=10.96.0.0/24", "--insecure-port=0"]);
        command.args(["--endpoint-reconciler-type=none"]);
        command.args(["--disable-admission-plugins=ServiceAccount"]);
        self.server = Some(Running::start(command));
        eventually("the API server is ready", || {
            let answer = self.try_ask("GET", "/readyz", None)?;
            (answer.0 == 200).then_some(())
        });
    }

    /// Kills the server; another one goes on with what is in etcd.
    pub(super) fn crash(&mut self) {
        let mut server = self.server.take().expect("it runs");
        server.signal("KILL");
        server.ended();
        self.serve();
    }

    /// A pod with an address, which a kubelet would have told.
    pub(super) fn add_pod(&self, name: &str, ip: &str) {
        let labels = json!({"app.kubernetes.io/name": "har"});
        let container = json!({"name": "har", "image": "har"});
        self.create(
            &core("pods"),
            &json!({"metadata": {"name": name, "labels": labels},
                "spec": {"containers": [container]}}),
        );
        let status = json!({"status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}});
        self.ask("PATCH", &format!("{}/{name}/status", core("pods")), &status);
    }

    pub(super) fn delete_pod(&self, name: &str) {
        let now = json!({"gracePeriodSeconds": 0});
        self.ask("DELETE", &format!("{}/{name}", core("pods")), &now);
    }

    /// Lets the service account read pods.
    pub(super) fn allow(&self) {
        self.create(
            &rbac("rolebindings"),
            &json!({"metadata": {"name": "har"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "har"},
                "subjects": [{"kind": "ServiceAccount", "name": "har", "namespace": "mesh"}]}),
        );
    }

    /// The contrary of [`KubeApi::allow`].
    pub(super) fn forbid(&self) {
        self.ask("DELETE", &format!("{}/har", rbac("rolebindings")), &json!({}));
    }

    /// A token of the service account.
    pub(super) fn token(&self) -> String {
        let path = format!("{}/har/token", core("serviceaccounts"));
        let answer = self.ask("POST", &path, &json!({"spec": {"expirationSeconds": 3600}}));
        answer["status"]["token"].as_str().expect("a token").to_owned()
    }

    /// All tokens that were given out are worth nothing from now on.
    pub(super) fn revoke_tokens(&self) {
        self.ask("DELETE", &format!("{}/har", core("serviceaccounts")), &json!({}));
        self.create(&core("serviceaccounts"), &json!({"metadata": {"name": "har"}}));
    }

    fn create(&self, path: &str, object: &Value) {
        self.ask("POST", path, object);
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.try_ask(method, path, Some(&body.to_string()));
        let (status, body) = answer.expect("the API server answers");
        assert!((200..300).contains(&status), "{method} {path}: {status} {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// Status and body; HTTP/1.0, so that the body is all up to the end.
    fn try_ask(&self, method: &str, path: &str, body: Option<&str>) -> Option<(u16, String)> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
        let session = ClientConnection::new(Arc::new(config), name).expect("a session");
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        let mut stream = StreamOwned::new(session, stream);
        let kind = if method == "PATCH" { "merge-patch+json" } else { "json" };
        let body = body.unwrap_or_default();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.0\r\nAuthorization: Bearer {ADMIN}\r\n\
             Content-Type: application/{kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        // It need not say goodbye.
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }
}

fn local(scheme: &str, port: u16) -> String {
    format!("{scheme}://127.0.0.1:{port}")
}

fn core(resource: &str) -> String {
    format!("/api/v1/namespaces/mesh/{resource}")
}

fn rbac(resource: &str) -> String {
    format!("/apis/rbac.authorization.k8s.io/v1/namespaces/mesh/{resource}")
}

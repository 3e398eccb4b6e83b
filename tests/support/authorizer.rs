//! An `ext_authz` service that answers as a test says, to find out what the proxy makes of it.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use cedargate::proto::envoy::service::auth::v3::CheckRequest;
use cedargate::proto::envoy::service::auth::v3::CheckResponse;
use cedargate::proto::envoy::service::auth::v3::authorization_server::Authorization;
use cedargate::proto::envoy::service::auth::v3::authorization_server::AuthorizationServer;
use tokio::runtime::Runtime;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// The name that Envoy asks the health of.
const SERVICE: &str = "envoy.service.auth.v3.Authorization";

/// A running service; it ends with the value.
pub(crate) struct ScriptedAuthorizer {
    port: u16,
    checks: Arc<Mutex<Vec<CheckRequest>>>,
    _runtime: Runtime,
}

type Answer = Box<dyn Fn(&CheckRequest) -> CheckResponse + Send + Sync>;

struct Script {
    answer: Answer,
    checks: Arc<Mutex<Vec<CheckRequest>>>,
}

impl ScriptedAuthorizer {
    /// Starts it on a free port, healthy from the beginning.
    pub(crate) fn start(
        answer: impl Fn(&CheckRequest) -> CheckResponse + Send + Sync + 'static,
    ) -> Self {
        let checks = Arc::default();
        let script = Script {
            answer: Box::new(answer),
            checks: Arc::clone(&checks),
        };
        let runtime = Runtime::new().expect("cannot start a runtime");
        let port = runtime.block_on(async {
            let incoming = TcpIncoming::bind((Ipv4Addr::LOCALHOST, 0).into())
                .expect("cannot bind a loopback port");
            let port = incoming.local_addr().expect("a bound port").port();
            let (reporter, health) = tonic_health::server::health_reporter();
            reporter
                .set_service_status(SERVICE, tonic_health::ServingStatus::Serving)
                .await;
            let server = Server::builder()
                .add_service(health)
                .add_service(AuthorizationServer::new(script));
            tokio::spawn(server.serve_with_incoming(incoming));
            port
        });
        Self {
            port,
            checks,
            _runtime: runtime,
        }
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Every check so far.
    pub(crate) fn checks(&self) -> Vec<CheckRequest> {
        let checks = self.checks.lock();
        checks.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for ScriptedAuthorizer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ScriptedAuthorizer")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

#[tonic::async_trait]
impl Authorization for Script {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let request = request.into_inner();
        let answer = (self.answer)(&request);
        let checks = self.checks.lock();
        checks.unwrap_or_else(PoisonError::into_inner).push(request);
        Ok(Response::new(answer))
    }
}

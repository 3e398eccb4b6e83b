//! The floor: a tonic `ext_authz` server that allows everything and looks at nothing.

use cedargate::proto::envoy::service::auth::v3::CheckRequest;
use cedargate::proto::envoy::service::auth::v3::CheckResponse;
use cedargate::proto::envoy::service::auth::v3::authorization_server::Authorization;
use cedargate::proto::envoy::service::auth::v3::authorization_server::AuthorizationServer;
use cedargate::proto::google::rpc::Status;
use tonic::Request;
use tonic::Response;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Empty;

#[tonic::async_trait]
impl Authorization for Empty {
    async fn check(
        &self,
        _request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, tonic::Status> {
        let status = Some(Status {
            code: 0,
            message: String::new(),
        });
        Ok(Response::new(CheckResponse {
            status,
            ..CheckResponse::default()
        }))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args()
        .nth(1)
        .ok_or("usage: empty ADDRESS")?
        .parse()?;
    tonic::transport::Server::builder()
        .tcp_nodelay(true)
        .add_service(AuthorizationServer::new(Empty))
        .serve(address)
        .await?;
    Ok(())
}

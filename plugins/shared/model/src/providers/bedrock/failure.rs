//! What the SDK's errors mean.

use aws_sdk_bedrockruntime::config::http::HttpResponse;
use aws_sdk_bedrockruntime::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_bedrockruntime::types::error::ConverseStreamOutputError;

use crate::providers::{failure, secret};
use crate::{ErrorKind, Identity, ModelError};

/// A request that was not accepted.
pub(super) fn refused<E>(who: &Identity, error: SdkError<E, HttpResponse>) -> ModelError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let wait = error
        .raw_response()
        .and_then(|response| response.headers().get("retry-after"))
        .and_then(|header| failure::retry_after(header, std::time::SystemTime::now()));
    match &error {
        SdkError::ServiceError(refusal) => {
            let status = status.unwrap_or(500);
            let said = refusal.err().message().unwrap_or("no words");
            let code = refusal.err().code().unwrap_or("unknown");
            let kind = match code {
                "ModelTimeoutException" => ErrorKind::Timeout,
                "ModelErrorException" | "ModelStreamErrorException" | "InternalServerException" => {
                    ErrorKind::ProviderFault
                }
                "ModelNotReadyException" | "ServiceUnavailableException" => ErrorKind::Overloaded,
                "ThrottlingException" => ErrorKind::RateLimited,
                "ServiceQuotaExceededException" => ErrorKind::QuotaExceeded,
                "ResourceNotFoundException" => ErrorKind::UnknownModel,
                "UnrecognizedClientException" | "ExpiredTokenException" | "InvalidSignatureException" => {
                    ErrorKind::Unauthorized
                }
                "AccessDeniedException" => ErrorKind::Forbidden,
                _ => {
                    let body = serde_json::json!({ "error": { "message": said, "code": code } }).to_string();
                    failure::kind_of(status, &body)
                }
            };
            let remedy = match kind {
                ErrorKind::Forbidden => "; allow this model to the role, and enable it in the region",
                ErrorKind::Unauthorized => "; check the AWS credentials",
                _ => "; the account has no quota left",
            };
            let message = if secret::generic(kind).is_some() {
                // Their words name accounts and roles, and repeat what was signed.
                secret::log(who, status, &failure::shortened(said));
                format!("{who}: HTTP {status}, {code}{remedy}")
            } else {
                format!("{who}: HTTP {status}, {code}: `{said}`")
            };
            ModelError::new(kind, message).with_status(status).with_retry_after(wait)
        }
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
            let causes = chain(&error);
            // The SDK does not tell apart a connection that did not come about from one that broke.
            let kind = if causes.contains("(Connect)") { ErrorKind::Unreachable } else { ErrorKind::Cut };
            ModelError::new(kind, format!("{who}: {causes}"))
        }
        // Among them: there are no credentials.
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => {
            ModelError::new(ErrorKind::Unauthorized, format!("{who}: the request was not sent: {}", chain(&error)))
        }
        SdkError::TimeoutError(_) => ModelError::new(ErrorKind::Timeout, format!("{who}: {}", chain(&error))),
        SdkError::ResponseError(_) => ModelError::new(ErrorKind::Cut, format!("{who}: {}", chain(&error))),
        _ => ModelError::protocol(who, chain(&error)),
    }
}

/// A stream that broke.
pub(super) fn in_stream<R>(who: &Identity, error: SdkError<ConverseStreamOutputError, R>) -> ModelError
where
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let SdkError::ServiceError(refusal) = &error else {
        return ModelError::cut(who, &chain(&error));
    };
    let (kind, status) = match refusal.err() {
        ConverseStreamOutputError::ThrottlingException(_) => (ErrorKind::RateLimited, None),
        ConverseStreamOutputError::ServiceUnavailableException(_) => (ErrorKind::Overloaded, None),
        ConverseStreamOutputError::ValidationException(_) => (ErrorKind::InvalidRequest, None),
        ConverseStreamOutputError::ModelStreamErrorException(fault) => {
            (ErrorKind::ProviderFault, fault.original_status_code().and_then(|status| u16::try_from(status).ok()))
        }
        _ => (ErrorKind::ProviderFault, None),
    };
    let said = refusal.err().message().unwrap_or("no words");
    let mut error = ModelError::new(kind, format!("{who}: an error came within the stream: `{said}`"));
    error.status = status;
    error
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

//! Where calls go, by what is set and by region.

use aws_types::SdkConfig;
use aws_types::service_config::ServiceConfigKey;

/// The endpoint that the S3 client will use, if one is set: S3's own wins over the general one.
pub(super) fn s3_endpoint(sdk: &SdkConfig) -> Option<String> {
    let own = || {
        let key = ServiceConfigKey::builder().service_id("S3").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
        sdk.service_config()?.load_config(key.ok()?)
    };
    let explicit = sdk.get_origin("endpoint_url").is_client_config();
    let own = if explicit { None } else { own() };
    own.or_else(|| sdk.endpoint_url().map(str::to_owned))
}

/// The host of an HTTP address, without port; none if it is not one.
pub(super) fn host(endpoint: &str) -> Option<&str> {
    let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?']).next()?;
    let host =
        if authority.starts_with('[') { authority.split_inclusive(']').next() } else { authority.split(':').next() };
    host.filter(|host| !host.is_empty())
}

/// Emulators and gateways have no DNS name per bucket; AWS's own endpoints do.
pub(super) fn needs_path_style(endpoint: &str) -> bool {
    let aws = [".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws"];
    host(endpoint).is_some_and(|host| !aws.iter().any(|suffix| host.ends_with(suffix)))
}

/// The region that signs requests to a partition's global services.
pub(super) fn global_region(region: &str) -> &'static str {
    let by_partition = [
        ("cn-", "cn-north-1"),
        ("us-gov-", "us-gov-west-1"),
        ("us-iso-", "us-iso-east-1"),
        ("us-isob-", "us-isob-east-1"),
        ("us-isof-", "us-isof-south-1"),
        ("eu-isoe-", "eu-isoe-west-1"),
        ("eusc-", "eusc-de-east-1"),
    ];
    by_partition.into_iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("us-east-1", |(_, global)| global)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_foreign_hosts_get_the_bucket_in_the_path() {
        for endpoint in ["http://127.0.0.1:4566", "https://minio.example.com/", "http://[::1]:9000"] {
            assert!(needs_path_style(endpoint), "{endpoint}");
        }
        for endpoint in
            ["https://s3.eu-west-1.amazonaws.com", "https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com:443"]
        {
            assert!(!needs_path_style(endpoint), "{endpoint}");
        }
    }

    #[test]
    fn an_endpoint_needs_scheme_and_host() {
        for endpoint in ["127.0.0.1:4566", "ftp://x", "http://", "https:///x", ""] {
            assert_eq!(host(endpoint), None, "{endpoint}");
        }
        assert_eq!(host("http://[::1]:80/x"), Some("[::1]"));
    }

    #[test]
    fn global_services_sign_for_their_partition() {
        for (region, global) in [
            ("eu-west-1", "us-east-1"),
            ("cn-northwest-1", "cn-north-1"),
            ("us-gov-east-1", "us-gov-west-1"),
            ("us-isob-east-1", "us-isob-east-1"),
        ] {
            assert_eq!(global_region(region), global);
        }
    }
}

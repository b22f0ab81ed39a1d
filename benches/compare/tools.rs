//! The tools under comparison, and the same work written in the language of each.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, bail};

/// A Terraform CLI configuration file (`TF_CLI_CONFIG_FILE`): one with a filesystem mirror of the AWS provider saves the
/// download.
const TERRAFORM_CONFIGURATION: &str = "S3STACK_BENCH_TF_CLI_CONFIG";

/// Another s3stack program than the one this was built with: an older release, say.
const S3STACK: &str = "S3STACK_BENCH_BINARY";

/// Which of s3stack's defaults are in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extras {
    /// What the Terraform configuration asks for and no more: `tls_only = false`.
    TerraformsSettings,
    /// All of s3stack's secure defaults: a bucket policy that refuses plain HTTP comes with every bucket.
    SecureDefaults,
}

/// What a tool is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Validate,
    Apply,
    /// A plan that must find nothing to do.
    Plan,
    Destroy,
    /// A plan of what is not there yet.
    FirstPlan,
    /// `--version`.
    Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    S3stack,
    Terraform,
}

/// Where a tool works: an account in the emulator and a folder of its own.
pub struct Place<'a> {
    pub folder: &'a Path,
    /// Twelve digits; the access key id too, which is how the emulator tells accounts apart.
    pub account: &'a str,
    pub endpoint: &'a str,
}

impl Tool {
    pub fn name(self) -> &'static str {
        match self {
            Self::S3stack => "s3stack",
            Self::Terraform => "Terraform",
        }
    }

    /// The program, if it is installed.
    pub fn program(self) -> Option<PathBuf> {
        match self {
            Self::S3stack => Some(env::var_os(S3STACK).unwrap_or_else(|| env!("CARGO_BIN_EXE_s3stack").into()).into()),
            Self::Terraform => on_path("terraform"),
        }
    }

    /// What the tool says of its version, on one line.
    pub fn version(self) -> Result<String> {
        let program = self.program().with_context(|| format!("{} is not installed", self.name()))?;
        let output = Command::new(program).arg("--version").env_remove("TF_CLI_CONFIG_FILE").output()?;
        Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
    }

    /// Writes the work into the folder, and gets ready what is got ready once per folder. That is not measured.
    pub fn prepare(self, place: &Place<'_>, units: usize, extras: Extras) -> Result<()> {
        match self {
            Self::S3stack => fs::write(place.folder.join("stack.toml"), stack(units, extras))?,
            Self::Terraform => {
                fs::write(place.folder.join("main.tf"), configuration(units, place))?;
                let output = self.bare(place)?.args(["init", "-input=false", "-no-color"]).output()?;
                if !output.status.success() {
                    bail!("terraform init: {}", String::from_utf8_lossy(&output.stderr));
                }
            }
        }
        Ok(())
    }

    pub fn command(self, place: &Place<'_>, step: Step) -> Result<Command> {
        let mut command = self.bare(place)?;
        command.args(match (self, step) {
            (_, Step::Version) => &["--version"][..],
            (_, Step::Validate) => &["validate"],
            (_, Step::FirstPlan) => &["plan"],
            (Self::S3stack, Step::Apply) => &["apply", "--yes", "--no-input"],
            (Self::S3stack, Step::Plan) => &["plan", "--detailed-exitcode", "--no-input"],
            (Self::S3stack, Step::Destroy) => &["destroy", "--yes", "--no-input"],
            (Self::Terraform, Step::Apply) => &["apply", "-auto-approve", "-input=false", "-no-color"],
            (Self::Terraform, Step::Plan) => &["plan", "-detailed-exitcode", "-input=false", "-no-color"],
            (Self::Terraform, Step::Destroy) => &["destroy", "-auto-approve", "-input=false", "-no-color"],
        });
        Ok(command)
    }

    /// The program in the folder, with nothing of this process's environment but what it cannot do without.
    fn bare(self, place: &Place<'_>) -> Result<Command> {
        let program = self.program().with_context(|| format!("{} is not installed", self.name()))?;
        let mut command = Command::new(program);
        command.current_dir(place.folder).env_clear();
        for name in ["PATH", "HOME", "HTTPS_PROXY", "SSL_CERT_FILE"] {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env("NO_COLOR", "1")
            .env("AWS_ACCESS_KEY_ID", place.account)
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            // Neither tool is to spend time on the caller's profiles.
            .env("AWS_CONFIG_FILE", place.folder.join("no-config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", place.folder.join("no-credentials"));
        match self {
            Self::S3stack => {
                command.env("AWS_ENDPOINT_URL", place.endpoint);
            }
            Self::Terraform => {
                command.env("CHECKPOINT_DISABLE", "1").env("TF_IN_AUTOMATION", "1");
                if let Some(file) = env::var_os(TERRAFORM_CONFIGURATION) {
                    command.env("TF_CLI_CONFIG_FILE", file);
                }
            }
        }
        Ok(command)
    }
}

/// Where a program is, if a folder of PATH has it.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path: OsString = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The work as a stack: no `for_each`, as people's stacks have blocks of their own too.
fn stack(units: usize, extras: Extras) -> String {
    let mut text = String::from("[stack]\nname = \"compare\"\nregion = \"us-east-1\"\n");
    let tls_only = match extras {
        Extras::TerraformsSettings => "tls_only = false\n",
        Extras::SecureDefaults => "",
    };
    for unit in 0..units {
        let _ = write!(
            text,
            r#"
[s3.bucket.unit_{unit}]
versioning          = true
encryption          = "AES256"
public_access_block = true
{tls_only}tags.Unit = "{unit}"

[iam.role.unit_{unit}]
trust    = ["ec2.amazonaws.com"]
policies = ["iam.policy.unit_{unit}"]

[iam.policy.unit_{unit}.statements.Read]
actions   = ["s3:GetObject"]
resources = ["${{s3.bucket.unit_{unit}.arn}}/*"]
"#
        );
    }
    text
}

/// The same work for Terraform.
fn configuration(units: usize, place: &Place<'_>) -> String {
    let Place { account, endpoint, .. } = place;
    let mut text = format!(
        r#"terraform {{
  required_providers {{
    aws = {{ source = "hashicorp/aws" }}
  }}
}}

provider "aws" {{
  region                      = "us-east-1"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  endpoints {{
    iam = "{endpoint}"
    s3  = "{endpoint}"
    sts = "{endpoint}"
  }}
}}
"#
    );
    for unit in 0..units {
        let _ = write!(
            text,
            r#"
resource "aws_s3_bucket" "unit_{unit}" {{
  bucket = "compare-unit-{unit}-{account}"
  tags   = {{ Unit = "{unit}" }}
}}

resource "aws_s3_bucket_versioning" "unit_{unit}" {{
  bucket = aws_s3_bucket.unit_{unit}.id
  versioning_configuration {{
    status = "Enabled"
  }}
}}

resource "aws_s3_bucket_server_side_encryption_configuration" "unit_{unit}" {{
  bucket = aws_s3_bucket.unit_{unit}.id
  rule {{
    apply_server_side_encryption_by_default {{
      sse_algorithm = "AES256"
    }}
  }}
}}

resource "aws_s3_bucket_public_access_block" "unit_{unit}" {{
  bucket                  = aws_s3_bucket.unit_{unit}.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}}

resource "aws_iam_role" "unit_{unit}" {{
  name = "compare-unit-{unit}"
  assume_role_policy = jsonencode({{
    Version = "2012-10-17"
    Statement = [{{ Effect = "Allow", Action = "sts:AssumeRole", Principal = {{ Service = "ec2.amazonaws.com" }} }}]
  }})
}}

resource "aws_iam_policy" "unit_{unit}" {{
  name = "compare-unit-{unit}"
  policy = jsonencode({{
    Version = "2012-10-17"
    Statement = [{{ Sid = "Read", Effect = "Allow", Action = "s3:GetObject", Resource = "${{aws_s3_bucket.unit_{unit}.arn}}/*" }}]
  }})
}}

resource "aws_iam_role_policy_attachment" "unit_{unit}" {{
  role       = aws_iam_role.unit_{unit}.name
  policy_arn = aws_iam_policy.unit_{unit}.arn
}}
"#
        );
    }
    text
}

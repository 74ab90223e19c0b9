# The six datasets, and what the service account and the readers may do.
terraform {
  required_version = ">= 1.5"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 5.0"
    }
  }
}

variable "project" {
  description = "Project of the datasets."
  type        = string
}

variable "location" {
  description = "Location of the datasets, as in BACKCOURT_BQ_LOCATION."
  type        = string
  default     = "EU"
}

variable "prefix" {
  description = "As in BACKCOURT_BQ_DATASET_PREFIX."
  type        = string
  default     = ""
}

variable "readers" {
  description = "Members that read features and coverage, such as group:analysts@example.com."
  type        = set(string)
  default     = []
}

variable "kms_key" {
  description = "Cloud KMS key of the datasets, as in BACKCOURT_BQ_KMS_KEY; none for Google's own."
  type        = string
  default     = null
}

provider "google" {
  project = var.project
}

locals {
  datasets = toset(["raw", "staging", "analytics", "precompute", "predictions", "processing"])
  # Their views may read all datasets, so that readers of views need no access to the tables below.
  viewers  = ["staging", "predictions", "processing"]
  readable = ["predictions", "processing"]
}

resource "google_service_account" "backcourt" {
  account_id   = "backcourt"
  display_name = "Backcourt"
}

resource "google_project_iam_member" "jobs" {
  for_each = toset(["roles/bigquery.jobUser", "roles/bigquery.readSessionUser"])
  project  = var.project
  role     = each.value
  member   = google_service_account.backcourt.member
}

# No default expiration: Backcourt refuses datasets whose rows would be deleted.
resource "google_bigquery_dataset" "backcourt" {
  for_each   = local.datasets
  dataset_id = "${var.prefix}nba_${each.value}"
  location   = var.location
  labels     = { app = "backcourt" }

  dynamic "default_encryption_configuration" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      kms_key_name = default_encryption_configuration.value
    }
  }

  # The entries of a dataset's access list are managed one by one below.
  lifecycle {
    ignore_changes  = [access]
    prevent_destroy = true
  }
}

# IAM resources of datasets would remove the authorised views: all entries are access resources.
resource "google_bigquery_dataset_access" "writer" {
  for_each      = google_bigquery_dataset.backcourt
  dataset_id    = each.value.dataset_id
  role          = "WRITER"
  user_by_email = google_service_account.backcourt.email
}

resource "google_bigquery_dataset_access" "reader" {
  for_each   = { for pair in setproduct(local.readable, var.readers) : join(" ", pair) => pair }
  dataset_id = google_bigquery_dataset.backcourt[each.value[0]].dataset_id
  role       = "READER"
  iam_member = each.value[1]
}

resource "google_bigquery_dataset_access" "views" {
  for_each = {
    for pair in setproduct(local.datasets, local.viewers) : join(" ", pair) => pair
    if pair[0] != pair[1]
  }
  dataset_id = google_bigquery_dataset.backcourt[each.value[0]].dataset_id

  dataset {
    dataset {
      project_id = var.project
      dataset_id = google_bigquery_dataset.backcourt[each.value[1]].dataset_id
    }
    target_types = ["VIEWS"]
  }
}

output "service_account" {
  description = "Account for the job and the scheduler."
  value       = google_service_account.backcourt.email
}

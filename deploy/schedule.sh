#!/bin/sh
# Start the Cloud Run job every morning. Cloud Scheduler delivers at least once: a second start finds
# the lease held and ends with exit code 3, or finds nothing left to do.
set -eu
PROJECT=${PROJECT:-my-project}
REGION=${REGION:-europe-west1}
ACCOUNT=backcourt@$PROJECT.iam.gserviceaccount.com

gcloud run jobs add-iam-policy-binding backcourt-daily --project "$PROJECT" --region "$REGION" \
  --member "serviceAccount:$ACCOUNT" --role roles/run.invoker
gcloud scheduler jobs create http backcourt-daily --project "$PROJECT" --location "$REGION" \
  --schedule "30 9 * * *" --time-zone Etc/UTC --http-method POST \
  --uri "https://run.googleapis.com/v2/projects/$PROJECT/locations/$REGION/jobs/backcourt-daily:run" \
  --oauth-service-account-email "$ACCOUNT"

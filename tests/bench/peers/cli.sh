#!/usr/bin/env bash
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The procedure by hand, with the AWS CLI: cli.sh create|no_change|issue|seal PROJECT VENUE USER DEST SEALED KEY RECEIPTS
# (two folders with a slash at the end, a file with an age recipient, a file of JSON lines).
set -euo pipefail
step=$1 project=$2 venue=$3 user=$4 dest=$5 sealed=$6 key=$7 receipts=$8
base=/unity/$project/$venue
parameter=$base/cs/sts/role/external-id
role=unity-$project-$venue-sts

trust() {
  cat <<JSON
{"Version": "2012-10-17", "Statement": [
 {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::$account:root"}, "Action": "sts:AssumeRole",
  "Condition": {"StringEquals": {"sts:ExternalId": "$1"}}},
 {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::$account:root"}, "Action": ["sts:TagSession", "sts:SetSourceIdentity"]}]}
JSON
}

permissions() {
  cat <<JSON
{"Version": "2012-10-17", "Statement": [
 {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"], "Resource": "arn:aws:s3:::$bucket"},
 {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
  "Resource": "arn:aws:s3:::$bucket/*"},
 {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
 {"Effect": "Allow", "Action": ["ecr:CreateRepository", "ecr:DescribeRepositories", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer",
  "ecr:BatchGetImage", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"],
  "Resource": "arn:aws:ecr:us-west-2:$account:repository/$project/*"}]}
JSON
}

issue() {
  external_id=$(aws ssm get-parameter --name "$parameter" --query Parameter.Value --output text)
  aws sts assume-role --role-arn "arn:aws:iam::123456789012:role/$role" --external-id "$external_id" \
    --role-session-name "$user-$(date -u +%Y%m%dT%H%M%SZ)"
}

value() {
  sed -n "s/.*\"$1\": \"\([^\"]*\)\".*/\1/p" <<<"$token"
}

published() {
  account=$(aws sts get-caller-identity --query Account --output text)
  read -r bucket boundary < <(aws ssm get-parameters --names "$base/ds/datastore-bucket" /unity/cs/account/privilegedpolicyname \
    --query "[Parameters[?ends_with(Name, 'bucket')].Value | [0], Parameters[?ends_with(Name, 'name')].Value | [0]]" --output text)
}

case $step in
  create)
    published
    external_id=$(od -An -N20 -tx1 /dev/urandom | tr -d ' \n')
    aws ssm put-parameter --name "$parameter" --type String --value "$external_id" >/dev/null
    aws iam create-role --role-name "$role" --assume-role-policy-document "$(trust "$external_id")" \
      --permissions-boundary "arn:aws:iam::$account:policy/$boundary" --max-session-duration 3600 \
      --tags "Key=Proj,Value=$project" "Key=Venue,Value=$venue" "Key=Env,Value=$venue" Key=ServiceArea,Value=cs Key=CreatedBy,Value=cs \
        Key=Capability,Value=sts Key=CapVersion,Value=1.0 Key=Component,Value=role Key=Stack,Value=role \
        "Key=Name,Value=$project-$venue-cs-sts-role" >/dev/null
    aws iam put-role-policy --role-name "$role" --policy-name venue-access --policy-document "$(permissions)"
    ;;
  no_change)
    published
    external_id=$(aws ssm get-parameter --name "$parameter" --query Parameter.Value --output text)
    aws iam get-role --role-name "$role" --query Role.AssumeRolePolicyDocument | grep --quiet --fixed-strings "$external_id"
    aws iam get-role-policy --role-name "$role" --policy-name venue-access | grep --quiet --fixed-strings "$bucket"
    ;;
  issue)
    umask 077
    issue >"$dest$project-$venue.json"
    ;;
  seal)
    umask 077
    token=$(issue)
    age --recipients-file "$key" --output "$sealed$project-$venue.json.age" <<<"$token"
    printf '{"recipient": "%s", "role": "%s", "access_key_id": "%s", "expires_at": "%s"}\n' \
      "$user" "$(value Arn)" "$(value AccessKeyId)" "$(value Expiration)" >>"$receipts"
    ;;
esac

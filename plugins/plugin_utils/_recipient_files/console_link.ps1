# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# Prints a link that signs you in to the S3 console of AWS with the file "token.json" beside this one.
# Usage: powershell -ExecutionPolicy Bypass -File console_link.ps1 BUCKET [PREFIX]
# It sends the credentials only to the sign-in page of AWS, and gets a link that is valid for 15 minutes. The
# session in the browser allows what the credentials allow, and ends with them.
param([Parameter(Mandatory = $true)][string]$Bucket, [string]$Prefix = "")
$ErrorActionPreference = "Stop"
[Net.ServicePointManager]::SecurityProtocol = [Net.SecurityProtocolType]::Tls12
$keys = (Get-Content -Raw (Join-Path $PSScriptRoot "token.json") | ConvertFrom-Json).Credentials
$line = Get-Content (Join-Path $PSScriptRoot "credentials") | Where-Object { $_ -like "region = *" } | Select-Object -First 1
$region = $line.Substring("region = ".Length)
$page, $console = "https://signin.aws.amazon.com/federation", "console.aws.amazon.com"
if ($region -like "us-gov-*") { $page, $console = "https://signin.amazonaws-us-gov.com/federation", "console.amazonaws-us-gov.com" }
if ($region -like "cn-*") { $page, $console = "https://signin.amazonaws.cn/federation", "console.amazonaws.cn" }
$session = @{ sessionId = $keys.AccessKeyId; sessionKey = $keys.SecretAccessKey; sessionToken = $keys.SessionToken }
$form = @{ Action = "getSigninToken"; Session = ($session | ConvertTo-Json -Compress) }
$token = (Invoke-RestMethod -Method Post -Uri $page -Body $form).SigninToken
$place = "https://$region.$console/s3/buckets/$([Uri]::EscapeDataString($Bucket))?region=$region&prefix=$([Uri]::EscapeDataString($Prefix))"
"$($page)?Action=login&Issuer=mdps.venue_sts&Destination=$([Uri]::EscapeDataString($place))&SigninToken=$([Uri]::EscapeDataString($token))"

"""An S3 server that is not ours (moto), with one user whose signatures are checked, and a look into its bucket by a client that is not ours.

s3.py serve                         says where it is and who may use it, in a line of JSON, and goes on until its input ends
s3.py list URL KEY SECRET BUCKET    says what is in the bucket
"""

import hashlib
import json
import os
import sys

# Who makes the user needs no signature: the user, its policy, its key.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "3"

import boto3

BUCKET = "packages"


def client(service, url, key, secret):
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )


def serve():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    users = client("iam", url, "nobody", "nothing")
    users.create_user(UserName="omadm")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    users.put_user_policy(UserName="omadm", PolicyName="all", PolicyDocument=json.dumps(policy))
    made = users.create_access_key(UserName="omadm")["AccessKey"]
    key, secret = made["AccessKeyId"], made["SecretAccessKey"]
    client("s3", url, key, secret).create_bucket(Bucket=BUCKET)
    print(json.dumps({"url": url, "key": key, "secret": secret, "bucket": BUCKET}), flush=True)
    sys.stdin.read()
    server.stop()


def listed(url, key, secret, bucket):
    bucket_client = client("s3", url, key, secret)
    found = bucket_client.list_objects_v2(Bucket=bucket).get("Contents", [])

    def digest(name):
        body = bucket_client.get_object(Bucket=bucket, Key=name)["Body"]
        return hashlib.sha256(body.read()).hexdigest()

    print(json.dumps([{"key": item["Key"], "size": item["Size"], "sha256": digest(item["Key"])} for item in found]))


if sys.argv[1] == "serve":
    serve()
else:
    listed(*sys.argv[2:])

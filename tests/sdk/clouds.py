"""The doors of three clouds in front of the scripted provider: each verifies what
the real one would, with code that is not the gateway's (botocore's signer,
cryptography), before the request goes on. What is wrong is refused as the cloud
refuses it, and kept in `refused` so that a test can say why."""

import base64
import datetime
import http.server
import json
import threading
import time
import urllib.parse
from http import client

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

import embeddings
import gemini

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCOUNT = "agents@project.iam.gserviceaccount.com"
ROLE = "arn:aws:iam::123456789012:role/agents"
AUDIENCE = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q"
REGION = "eu-central-1"
AZURE_KEY, BEDROCK_KEY = "azure-key-0123456789", "bedrock-bearer-0123456789"
TENANT, CLIENT = "11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000"
PLATFORM_TOKEN = "platform.issued.token"
POD_TOKEN = "pod-identity-authorization"
REFRESH_TOKEN, PAYER = "1//refresh-token", "project-that-pays"


class Refused(Exception):
    """What a cloud says no with."""

    def __init__(self, status, why):
        super().__init__(why)
        self.status, self.why = status, why


def expect(condition, status, why):
    if not condition:
        raise Refused(status, why)


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


class Clouds:
    """All doors, on one port of loopback."""

    def __init__(self, upstream):
        self.upstream = urllib.parse.urlsplit(upstream).netloc
        self.refused, self.asked, self.lock = [], [], threading.Lock()
        self.issued = {}
        self.keys = {"AKIDSTATIC": Credentials("AKIDSTATIC", "static/secret+key")}
        self.account_key = rsa.generate_private_key(65537, 2048)
        clouds = self

        class Door(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                clouds.serve(self)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.host = "127.0.0.1:%d" % self.server.server_port
        self.url = f"http://{self.host}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def times(self, door):
        """How often something was asked of this door."""
        with self.lock:
            return self.asked.count(door)

    def service_account(self):
        """A key file of the account that the token endpoint knows."""
        pem = self.account_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return json.dumps({
            "type": "service_account",
            "project_id": "project",
            "private_key_id": "key-1",
            "private_key": pem.decode(),
            "client_email": ACCOUNT,
            "token_uri": f"{self.url}/google/token",
        })

    def authorized_user(self):
        """A file that `gcloud auth application-default login` leaves."""
        return json.dumps({
            "type": "authorized_user",
            "client_id": "client.apps.googleusercontent.com",
            "client_secret": "client-secret",
            "refresh_token": REFRESH_TOKEN,
            "quota_project_id": PAYER,
            "token_uri": f"{self.url}/google/refresh",
        })

    def external_account(self, token_file):
        """A file of Workload Identity Federation."""
        return json.dumps({
            "type": "external_account",
            "audience": AUDIENCE,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{self.url}/google/sts",
            "credential_source": {"file": str(token_file)},
        })

    def serve(self, request):
        length = int(request.headers.get("content-length") or 0)
        body = request.rfile.read(length)
        path = urllib.parse.urlsplit(request.path).path
        door, serve = next(
            (prefix, serve) for prefix, serve in self.doors() if path.startswith(prefix)
        )
        with self.lock:
            self.asked.append(door)
        try:
            status, headers, answer = serve(request, path, body)
        except embeddings.Wrong as wrong:
            with self.lock:
                self.refused.append(str(wrong))
            status, headers, answer = as_json({"message": str(wrong)})
            status = 400
        except Refused as refused:
            with self.lock:
                self.refused.append(refused.why)
            headers = {"content-type": "application/json"}
            # Clouds repeat what they were sent; a gateway must not.
            quoted = f"{refused.why}: {request.headers.get('authorization')}"
            answer = json.dumps({"message": quoted, "error": {"message": quoted}}).encode()
            status = refused.status
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("content-length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def doors(self):
        return [
            ("/aws/", self.bedrock),
            ("/sts", self.sts),
            ("/pod-identity", self.pod_identity),
            ("/google/token", self.google_token),
            ("/google/refresh", self.google_refresh),
            ("/google/sts", self.google_sts),
            ("/computeMetadata/", self.metadata),
            ("/vertex/", self.vertex),
            (f"/{TENANT}/oauth2", self.entra),
            ("/azure/", self.azure),
            ("/", self.nowhere),
        ]

    def nowhere(self, request, path, body):
        raise Refused(404, f"nothing is at {path}")

    # Amazon

    def bedrock(self, request, path, body):
        authorization = request.headers.get("authorization", "")
        if authorization != f"Bearer {BEDROCK_KEY}":
            self.verify_sigv4(request, authorization, body)
        path = path.removeprefix("/aws")
        if path.endswith("/invoke"):
            model = urllib.parse.unquote(path.split("/")[2])
            answer, counted = embeddings.bedrock(model, json.loads(body))
            status, headers, answer = as_json(answer)
            return status, {**headers, **counted}, answer
        return self.forward(path, body)

    def verify_sigv4(self, request, authorization, body):
        algorithm, _, rest = authorization.partition(" ")
        expect(algorithm == "AWS4-HMAC-SHA256", 403, "no signature")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        key, date, region, service, end = parts["Credential"].split("/")
        expect((region, service, end) == (REGION, "bedrock", "aws4_request"), 403, "scope")
        keys = self.keys.get(key)
        expect(keys, 403, "unknown key")
        expect(request.headers.get("x-amz-security-token") == keys.token, 403, "session token")
        stamp = request.headers["x-amz-date"]
        made = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ")
        made = made.replace(tzinfo=datetime.timezone.utc).timestamp()
        expect(abs(time.time() - made) < 300 and stamp.startswith(date), 403, "date")
        names = parts["SignedHeaders"].split(";")
        expect("host" in names and "x-amz-date" in names, 403, "signed headers")
        headers = {name: request.headers[name] for name in names}
        signed = AWSRequest("POST", f"http://{self.host}{request.path}", headers, body)
        signed.context["timestamp"] = stamp
        signer = SigV4Auth(keys, service, region)
        text = signer.string_to_sign(signed, signer.canonical_request(signed))
        right = signer.signature(text, signed)
        expect(right == parts["Signature"], 403, f"signature of {text!r}")

    def role_keys(self, key):
        self.keys[key] = Credentials(key, f"secret-of-{key}", f"session-of-{key}")
        return self.keys[key]

    def sts(self, request, path, body):
        form = dict(urllib.parse.parse_qsl(body.decode()))
        expect(form["Action"] == "AssumeRoleWithWebIdentity", 400, "action")
        expect(form["RoleArn"] == ROLE, 403, "role")
        expect(form["WebIdentityToken"] == PLATFORM_TOKEN, 400, "web identity token")
        keys = self.role_keys("ASIAWEB")
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        answer = f"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>{keys.access_key}</AccessKeyId><SecretAccessKey>{keys.secret_key}</SecretAccessKey>
<SessionToken>{keys.token}</SessionToken><Expiration>{end:%Y-%m-%dT%H:%M:%SZ}</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""
        return 200, {"content-type": "text/xml"}, answer.encode()

    def pod_identity(self, request, path, body):
        expect(request.headers.get("authorization") == POD_TOKEN, 401, "pod token")
        keys = self.role_keys("ASIAPOD")
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        return as_json({
            "AccessKeyId": keys.access_key,
            "SecretAccessKey": keys.secret_key,
            "Token": keys.token,
            "Expiration": f"{end:%Y-%m-%dT%H:%M:%SZ}",
        })

    # Google

    def google_token(self, request, path, body):
        form = dict(urllib.parse.parse_qsl(body.decode()))
        expect(form["grant_type"] == JWT_BEARER, 400, "grant type")
        head, claims, signature = form["assertion"].split(".")
        try:
            self.account_key.public_key().verify(
                decoded(signature),
                f"{head}.{claims}".encode(),
                padding.PKCS1v15(),
                hashes.SHA256(),
            )
        except InvalidSignature:
            raise Refused(400, "signature of the assertion") from None
        head, claims = json.loads(decoded(head)), json.loads(decoded(claims))
        expect(head == {"typ": "JWT", "alg": "RS256", "kid": "key-1"}, 400, f"header {head}")
        expect(claims["iss"] == ACCOUNT and claims["scope"] == SCOPE, 400, "claims")
        expect(claims["aud"] == f"{self.url}/google/token", 400, "audience")
        expect(claims["iat"] <= time.time() + 5 < claims["exp"], 400, "time")
        expect(claims["exp"] - claims["iat"] <= 3600, 400, "lifetime")
        return self.token("google", "service-account")

    def google_refresh(self, request, path, body):
        form = dict(urllib.parse.parse_qsl(body.decode()))
        expect(form["grant_type"] == "refresh_token", 400, "grant type")
        expect(form["refresh_token"] == REFRESH_TOKEN, 400, "refresh token")
        expect(form["client_secret"] == "client-secret", 401, "client")
        return self.token("google", "person")

    def google_sts(self, request, path, body):
        form = dict(urllib.parse.parse_qsl(body.decode()))
        expect(form["grant_type"] == EXCHANGE, 400, "grant type")
        expect(form["audience"] == AUDIENCE and form["scope"] == SCOPE, 400, "audience")
        expect(form["subject_token"] == PLATFORM_TOKEN, 400, "subject token")
        return self.token("google", "external-account")

    def metadata(self, request, path, body):
        expect(request.headers.get("metadata-flavor") == "Google", 403, "flavor")
        expect(path.endswith("/instance/service-accounts/default/token"), 404, path)
        status, headers, answer = self.token("google", "metadata")
        return status, {**headers, "Metadata-Flavor": "Google"}, answer

    def vertex(self, request, path, body):
        self.verify_token(request, "google")
        is_person = request.headers["authorization"].endswith("-of-person")
        payer = request.headers.get("x-goog-user-project")
        expect(payer == (PAYER if is_person else None), 403, f"paid by {payer}")
        called = json.loads(body)
        if "/publishers/google/" in path:
            return self.gemini(path, called)
        expect(called.pop("anthropic_version", "") == "vertex-2023-10-16", 400, "version")
        place, _, action = path.rpartition("/models/")
        expect(place == "/vertex/v1/projects/project/locations/eu/publishers/anthropic", 404, path)
        model, _, verb = action.partition(":")
        if model == "count-tokens":
            expect(called["model"].startswith("claude"), 400, "model of a count")
            return as_json({"input_tokens": 11})
        expect("model" not in called, 400, "model: Extra inputs are not permitted")
        streams = "streamRawPredict" if called.get("stream") else "rawPredict"
        expect(verb == streams, 400, f"{verb} of {called}")
        called["model"] = urllib.parse.unquote(model)
        return self.forward("/v1/messages", json.dumps(called).encode())

    def gemini(self, path, called):
        place, _, action = path.rpartition("/models/")
        expect(place == "/vertex/v1/projects/project/locations/eu/publishers/google", 404, path)
        model, _, verb = action.partition(":")
        if answer := embeddings.vertex(model, verb, called):
            return as_json(answer)
        try:
            kind, answer = gemini.answer(urllib.parse.unquote(model), verb, called)
        except gemini.Wrong as wrong:
            raise Refused(400, str(wrong)) from wrong
        return 200, {"content-type": kind}, answer

    # Microsoft

    def entra(self, request, path, body):
        form = dict(urllib.parse.parse_qsl(body.decode()))
        expect(path == f"/{TENANT}/oauth2/v2.0/token", 404, path)
        expect(form["grant_type"] == "client_credentials", 400, "grant type")
        expect(form["client_id"] == CLIENT, 400, "client")
        expect(form["client_assertion"] == PLATFORM_TOKEN, 401, "assertion")
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        expect(form["client_assertion_type"] == kind, 400, "assertion type")
        expect(form["scope"] == "https://cognitiveservices.azure.com/.default", 400, "scope")
        return self.token("entra", "workload")

    def azure(self, request, path, body):
        if request.headers.get("api-key") != AZURE_KEY:
            self.verify_token(request, "entra")
        path = path.removeprefix("/azure/openai")
        if path.startswith("/deployments/"):
            query = urllib.parse.urlsplit(request.path).query
            expect(query == "api-version=2024-10-21", 404, f"version {query}")
            return self.forward("/v1/" + path.split("/", 3)[3], body)
        expect(path.startswith("/v1/"), 404, path)
        return self.forward(path, body)

    # All

    def token(self, cloud, name):
        token = f"{cloud}-token-of-{name}"
        self.issued[f"Bearer {token}"] = cloud
        return as_json({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def verify_token(self, request, cloud):
        authorization = request.headers.get("authorization")
        expect(self.issued.get(authorization) == cloud, 401, "token")

    def forward(self, path, body):
        provider = client.HTTPConnection(self.upstream, timeout=30)
        headers = {"content-type": "application/json", "anthropic-version": "2023-06-01"}
        # The names that clouds want leave no room for a behaviour in front.
        if "tools-" in path or "tools-" in json.loads(body).get("model", ""):
            headers["x-testkit-behaviour"] = "tools"
        provider.request("POST", path, body, headers)
        answer = provider.getresponse()
        kept = ["content-type", "x-amzn-errortype"]
        headers = {name: answer.headers[name] for name in kept if name in answer.headers}
        return answer.status, headers, answer.read()


def as_json(body):
    return 200, {"content-type": "application/json"}, json.dumps(body).encode()

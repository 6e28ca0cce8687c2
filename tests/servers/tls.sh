# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# TLS before a server on 127.0.0.1, and proxies, for a test; sourced by bash.
# What they log is in PLACE/access and PLACE/log. They end with server_stop PLACE.

# free_port: nobody listens there now.
free_port() {
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# tls_keys PLACE: an authority (ca.pem), a server's certificate (server.*) for
# localhost and *.s3.localhost, and a client's (client.*), whose key is in
# locked.key with the password "open".
tls_keys() (
	cd "$1" || return 1
	make_key() {
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
			-keyout "$1.key" -subj "/CN=$1" "${@:2}"
	}
	sign_key() {
		openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key \
			-CAcreateserial -days 2 -out "$1.pem" "${@:2}"
	}
	printf 'subjectAltName=DNS:localhost,DNS:s3.localhost,DNS:*.%s\n' \
		s3.localhost >names
	{
		make_key ca -x509 -days 2 -out ca.pem &&
			make_key server -out server.csr &&
			make_key client -out client.csr &&
			sign_key server -extfile names && sign_key client &&
			openssl pkcs8 -topk8 -in client.key -out locked.key \
				-passout pass:open
	} 2>openssl.log
)

# tls_start PLACE PORT: sets tls_port, and tls_client_port where only clients
# with a certificate come in. On 127.0.0.1 and [::1].
tls_start() {
	local place=$1 port=$2

	mkdir -p "$place" && tls_keys "$place" || return 1
	tls_port=$(free_port)
	tls_client_port=$(free_port)
	cat >"$place/conf" <<-END
		daemon off;
		master_process off;
		pid $place/nginx.pid;
		error_log $place/error;
		events { }
		http {
			log_format one '\$server_protocol \$remote_addr \$http_host '
				'\$request_method \$status';
			access_log $place/access one;
			client_body_temp_path $place/body;
			proxy_temp_path $place/proxied;
			fastcgi_temp_path $place/unused;
			scgi_temp_path $place/unused;
			uwsgi_temp_path $place/unused;
			client_max_body_size 0;
			ssl_certificate $place/server.pem;
			ssl_certificate_key $place/server.key;
			proxy_http_version 1.1;
			proxy_set_header Host \$http_host;
			proxy_set_header X-Forwarded-Proto https;
			server {
				listen 127.0.0.1:$tls_port ssl http2;
				listen [::1]:$tls_port ssl http2;
				location / { proxy_pass http://127.0.0.1:$port; }
			}
			server {
				listen 127.0.0.1:$tls_client_port ssl;
				ssl_client_certificate $place/ca.pem;
				ssl_verify_client on;
				location / { proxy_pass http://127.0.0.1:$port; }
			}
		}
	END
	nginx -p "$place" -c "$place/conf" -e "$place/error" &
	echo $! >"$place/pid"
	listens "$tls_port" || {
		cat "$place/error" >&2
		return 1
	}
}
tls_port=
tls_client_port=

# forward_start PLACE: an HTTP proxy; sets forward_port. Its user is "me", the
# password "pass-word".
forward_start() {
	mkdir -p "$1" || return 1
	forward_port=$(free_port)
	cat >"$1/conf" <<-END
		Port $forward_port
		Listen 127.0.0.1
		LogFile "$1/log"
		LogLevel Connect
		BasicAuth me pass-word
	END
	tinyproxy -d -c "$1/conf" >"$1/out" 2>&1 &
	echo $! >"$1/pid"
	listens "$forward_port"
}
forward_port=

# listens PORT: within ten seconds.
listens() {
	local end=$((SECONDS + 10))

	until (: >"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

server_stop() {
	local pid

	[ -e "$1/pid" ] && read -r pid <"$1/pid" || return 0
	rm -f "$1/pid"
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null || :
}

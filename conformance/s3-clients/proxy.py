"""nginx in front of a server: TLS for those that speak none, or another address."""
from s3_peers import Server

from harness import install

NGINX = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen {listen};{tls}
    client_max_body_size 0;
    location / {{
      proxy_pass {upstream};
      proxy_set_header Host $http_host;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_buffering off;
    }}
  }}
}}
"""
TLS = "ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;"


class Proxy(Server):
    """Passes on everything as it comes, bodies unbuffered. For TLS `folder` holds cert.pem and key.pem."""

    def __init__(self, folder, upstream, is_tls=False, address=None):
        super().__init__(folder)
        self.upstream, self.is_tls = upstream, is_tls
        self.address = address or f"127.0.0.1:{self.port}"
        self.url = f"{'https' if is_tls else 'http'}://{self.address}"

    def prepare(self):
        install.apt(nginx="nginx-light")
        config = self.folder / "nginx.conf"
        tls = TLS.format(folder=self.folder) if self.is_tls else ""
        config.write_text(NGINX.format(folder=self.folder, listen=self.address + (" ssl" if self.is_tls else ""), tls=tls,
                                       upstream=self.upstream), encoding="ascii")
        self.commands = [[install.find("nginx"), "-c", config, "-p", self.folder]]

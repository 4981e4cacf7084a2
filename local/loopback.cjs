// Preloaded into kinesis-local, which would otherwise listen on every interface of the machine: it listens on BIND_HOST,
// which is loopback unless somebody asks for another. It also says which ports it got: an answer on a port may be
// another process's.
"use strict";
const net = require("net");
const host = process.env.BIND_HOST || "127.0.0.1";
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (first, ...rest) {
  this.once("listening", () => console.log(`listening on port ${this.address().port}`));
  if (first !== null && typeof first === "object") {
    if (first.port !== undefined) first = { ...first, host };
    return listen.call(this, first, ...rest);
  }
  if (typeof rest[0] === "string") rest.shift();
  return listen.call(this, first, host, ...rest);
};

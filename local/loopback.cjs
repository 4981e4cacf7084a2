// Preloaded into kinesis-local, which would otherwise listen on every interface of the machine. It also says which ports
// it got: an answer on a port may be another process's.
"use strict";
const net = require("net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (first, ...rest) {
  this.once("listening", () => console.log(`listening on port ${this.address().port}`));
  if (first !== null && typeof first === "object") {
    if (first.port !== undefined) first = { ...first, host: "127.0.0.1" };
    return listen.call(this, first, ...rest);
  }
  if (typeof rest[0] === "string") rest.shift();
  return listen.call(this, first, "127.0.0.1", ...rest);
};

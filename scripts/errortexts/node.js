// Prints what Node says of each fault. It reads lines from standard input, "client ADDRESS NAME" and "presenting ADDRESS KIND", prints
// "said TEXT" for each, and serves at a port of its own meanwhile. record.py starts it and the faulty peers.
"use strict";
const fs = require("fs");
const path = require("path");
const readline = require("readline");
const tls = require("tls");

const folder = process.argv[2];
const read = (name) => fs.readFileSync(path.join(folder, name));
const ca = [read("roots.pem")];
const pair = (stem) => ({ cert: read(`${stem}.pem`), key: read(`${stem}.key`) });
const told = (problem) => `${problem.code || ""} ${problem}`.trim().replace(/\n/g, "\\n");

const server = tls.createServer({ ca, ...pair("server/good"), requestCert: true, rejectUnauthorized: true }, (socket) => {
    console.log("said ");
    socket.end();
});
server.on("tlsClientError", (problem) => console.log(`said ${told(problem)}`));
server.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));

const connect = (options, done) => {
    const socket = tls.connect({ host: "127.0.0.1", ca, ...options });
    let text = "";
    socket.setTimeout(5000, () => socket.destroy());
    socket.on("error", (problem) => { text = told(problem); });
    socket.on("end", () => socket.end());
    socket.on("data", () => socket.end());
    socket.on("secureConnect", () => socket.write("GET / HTTP/1.0\r\n\r\n"));
    socket.on("close", () => { console.log(`said ${text}`); done(); });
};

const lines = readline.createInterface({ input: process.stdin });
let before = Promise.resolve();
lines.on("line", (line) => {
    const [what, address, name] = line.split(" ");
    const port = Number(address.split(":")[1]);
    before = before.then(() => new Promise((done) => {
        try {
            const options = what === "client"
                ? { port, servername: /^[0-9.]+$/.test(name) ? "" : name, checkServerIdentity: (_, made) => tls.checkServerIdentity(name, made) }
                : { port, servername: "localhost", ...(name === "none" ? {} : pair(`client/${name}`)) };
            connect(options, done);
        } catch (problem) {
            console.log(`said ${told(problem)}`);
            done();
        }
    }));
});
lines.on("close", () => before.then(() => process.exit(0)));

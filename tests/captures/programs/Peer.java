import java.io.*;
import java.security.KeyStore;
import java.security.cert.*;
import javax.net.ssl.*;

/** A server that sends back the first line of each client, or a client that says one line, by Java's SSLSocket. */
public class Peer {
    // Arguments: server|client, host, port, version, identity or -, roots, name, password of the identity.
    public static void main(String[] args) throws Exception {
        KeyManager[] keys = null;
        if (!args[4].equals("-")) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            try (InputStream file = new FileInputStream(args[4])) {
                store.load(file, args[7].toCharArray());
            }
            KeyManagerFactory factory = KeyManagerFactory.getInstance("SunX509");
            factory.init(store, args[7].toCharArray());
            keys = factory.getKeyManagers();
        }
        KeyStore roots = KeyStore.getInstance("PKCS12");
        roots.load(null, null);
        try (InputStream file = new FileInputStream(args[5])) {
            roots.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(roots);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys, trust.getTrustManagers(), null);
        String[] versions = {"TLSv" + args[3]};
        int port = Integer.parseInt(args[2]);
        if (args[0].equals("server")) {
            SSLServerSocket listener = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(port);
            listener.setNeedClientAuth(true);
            listener.setEnabledProtocols(versions);
            System.out.println("listening");
            while (true) {
                serve((SSLSocket) listener.accept());
            }
        }
        java.net.Socket plain = new java.net.Socket(args[1], port);
        SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(plain, args[6], port, true);
        SSLParameters parameters = socket.getSSLParameters();
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        parameters.setProtocols(versions);
        socket.setSSLParameters(parameters);
        try (socket) {
            socket.startHandshake();
            socket.getOutputStream().write("hello\n".getBytes());
            System.out.println(new BufferedReader(new InputStreamReader(socket.getInputStream())).readLine());
        }
    }

    static void serve(SSLSocket socket) {
        try (socket) {
            socket.setSoTimeout(5000);
            String line = new BufferedReader(new InputStreamReader(socket.getInputStream())).readLine();
            if (line != null) socket.getOutputStream().write((line + "\n").getBytes());
        } catch (IOException problem) {
            System.out.println(problem);
        }
    }
}

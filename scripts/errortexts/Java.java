// Prints what Java's JSSE says of each fault. It reads lines from standard input, "client ADDRESS NAME" and "presenting ADDRESS KIND",
// prints "said TEXT" for each, and serves at a port of its own meanwhile. record.py starts it and the faulty peers.
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import java.net.InetAddress;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.net.Socket;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import javax.net.ssl.KeyManager;
import javax.net.ssl.X509ExtendedKeyManager;

public class Java {
    static SSLContext context(Path folder, String file) throws Exception {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        try (FileInputStream in = new FileInputStream(folder.resolve("roots.pem").toFile())) {
            trusted.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        KeyManager[] keys = null;
        if (file != null) {
            X509Certificate[] chain;
            try (FileInputStream in = new FileInputStream(folder.resolve(file + ".pem").toFile())) {
                chain = CertificateFactory.getInstance("X.509").generateCertificates(in).toArray(new X509Certificate[0]);
            }
            String text = Files.readString(folder.resolve(file + ".key")).replaceAll("-----[A-Z ]+-----|\\s", "");
            PrivateKey key = KeyFactory.getInstance(chain[0].getPublicKey().getAlgorithm())
                    .generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(text)));
            // Java chooses by the authorities that a server names; what is wanted here is the faulty certificate.
            keys = new KeyManager[] {new X509ExtendedKeyManager() {
                public String[] getClientAliases(String type, Principal[] issuers) { return new String[] {"it"}; }
                public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) { return "it"; }
                public String[] getServerAliases(String type, Principal[] issuers) { return new String[] {"it"}; }
                public String chooseServerAlias(String type, Principal[] issuers, Socket socket) { return "it"; }
                public X509Certificate[] getCertificateChain(String alias) { return chain; }
                public PrivateKey getPrivateKey(String alias) { return key; }
            }};
        }
        SSLContext made = SSLContext.getInstance("TLS");
        made.init(keys, trust.getTrustManagers(), null);
        return made;
    }

    static String told(Throwable problem) {
        StringBuilder text = new StringBuilder(problem.toString());
        for (Throwable cause = problem.getCause(); cause != null; cause = cause.getCause()) {
            text.append("\\nCaused by: ").append(cause);
        }
        return text.toString().replace("\n", "\\n");
    }

    static String client(Path folder, String address, String name, String file) {
        String[] parts = address.split(":");
        try {
            Socket tcp = new Socket(parts[0], Integer.parseInt(parts[1]));
            tcp.setSoTimeout(5000);
            try (SSLSocket socket = (SSLSocket) context(folder, file).getSocketFactory().createSocket(tcp, name, tcp.getPort(), true)) {
                SSLParameters parameters = socket.getSSLParameters();
                parameters.setEndpointIdentificationAlgorithm("HTTPS");
                socket.setSSLParameters(parameters);
                socket.startHandshake();
                socket.getInputStream().read();
            }
        } catch (Exception problem) {
            return told(problem);
        }
        return "";
    }

    static void serve(Path folder) throws Exception {
        SSLServerSocket listener = (SSLServerSocket) context(folder, "server/good").getServerSocketFactory()
                .createServerSocket(0, 5, InetAddress.getByName("127.0.0.1"));
        listener.setNeedClientAuth(true);
        System.out.println("port " + listener.getLocalPort());
        while (true) {
            String text = "";
            try (SSLSocket socket = (SSLSocket) listener.accept()) {
                socket.setSoTimeout(5000);
                socket.startHandshake();
            } catch (Exception problem) {
                text = told(problem);
            }
            System.out.println("said " + text);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        Thread server = new Thread(() -> {
            try {
                serve(folder);
            } catch (Exception problem) {
                problem.printStackTrace();
            }
        });
        server.setDaemon(true);
        server.start();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            boolean isClient = words[0].equals("client");
            String file = isClient || words[2].equals("none") ? null : "client/" + words[2];
            System.out.println("said " + client(folder, words[1], isClient ? words[2] : "localhost", file));
        }
    }
}

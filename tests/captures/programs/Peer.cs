using System;
using System.IO;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

// A server that sends back the first line of each client, or a client that says one line, by .NET's SslStream.
static class Peer
{
    static X509Certificate2 root;
    static string name;

    // Arguments: server|client, host, port, identity or -, roots, name, password of the identity.
    static int Main(string[] args)
    {
        root = new X509Certificate2(args[4]);
        name = args[5];
        var identities = new X509CertificateCollection();
        if (args[3] != "-")
            identities.Add(new X509Certificate2(args[3], args[6]));
        int port = int.Parse(args[2]);
        if (args[0] == "server")
        {
            var listener = new TcpListener(IPAddress.Parse(args[1]), port);
            listener.Start();
            Console.WriteLine("listening");
            while (true)
                Serve(listener.AcceptTcpClient(), identities[0]);
        }
        try
        {
            using (var client = new TcpClient(args[1], port))
            using (var stream = new SslStream(client.GetStream(), false, IsTrusted))
            {
                stream.AuthenticateAsClient(name, identities, SslProtocols.Tls12, false);
                Console.WriteLine(Say(stream, "hello"));
            }
            return 0;
        }
        catch (Exception problem)
        {
            Console.WriteLine(problem.Message);
            return 1;
        }
    }

    static string Say(Stream stream, string line)
    {
        var writer = new StreamWriter(stream) { AutoFlush = true };
        writer.Write(line + "\n");
        return new StreamReader(stream).ReadLine();
    }

    static void Serve(TcpClient client, X509Certificate identity)
    {
        client.ReceiveTimeout = 5000;
        try
        {
            using (client)
            using (var stream = new SslStream(client.GetStream(), false, IsTrusted))
            {
                stream.AuthenticateAsServer(identity, true, SslProtocols.Tls12, false);
                string line = new StreamReader(stream).ReadLine();
                var writer = new StreamWriter(stream) { AutoFlush = true };
                writer.Write(line + "\n");
            }
        }
        catch (Exception problem)
        {
            Console.WriteLine(problem.Message);
        }
    }

    static bool IsTrusted(object sender, X509Certificate certificate, X509Chain ignored, SslPolicyErrors errors)
    {
        if (certificate == null || (errors & SslPolicyErrors.RemoteCertificateNameMismatch) != 0)
            return false;
        var chain = new X509Chain();
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.ExtraStore.Add(root);
        chain.ChainPolicy.VerificationFlags = X509VerificationFlags.AllowUnknownCertificateAuthority;
        bool isBuilt = chain.Build(new X509Certificate2(certificate));
        var last = chain.ChainElements[chain.ChainElements.Count - 1].Certificate;
        return isBuilt && last.Thumbprint == root.Thumbprint;
    }
}

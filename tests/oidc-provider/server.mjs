// An oidc-provider on loopback, with one client for each way of logging in.
//   server.mjs PORT TLS_PORT DIRECTORY KEYS
// DIRECTORY has the authority's certificate and the server's own one; a refresh token is written there. KEYS are the clients' keys.
import { createPublicKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import Provider from 'oidc-provider';

const [port, tlsPort, directory, keys] = process.argv.slice(2);
const issuer = `http://localhost:${port}`;

const client = (id, more) => ({
  client_id: id,
  client_secret: 'p%q r+:&-hunter2',
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  scope: 'read',
  ...more,
});
const publicKey = (name, alg) => {
  const key = createPublicKey(readFileSync(`${keys}/${name}.pem`));
  return { ...key.export({ format: 'jwk' }), kid: `${name}-1`, alg, use: 'sig' };
};
const byKey = (name, alg) => client(`key-${alg}`, {
  client_secret: undefined,
  token_endpoint_auth_method: 'private_key_jwt',
  token_endpoint_auth_signing_alg: alg,
  jwks: { keys: [publicKey(name, alg)] },
});

const provider = new Provider(issuer, {
  clients: [
    client('basic:client', { token_endpoint_auth_method: 'client_secret_basic' }),
    client('post', { token_endpoint_auth_method: 'client_secret_post' }),
    byKey('rsa', 'RS256'),
    byKey('rsa', 'PS256'),
    byKey('p256', 'ES256'),
    byKey('ed25519', 'EdDSA'),
    client('certificate', {
      client_secret: undefined,
      token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_san_dns: 'client.example',
    }),
    client('public', {
      client_secret: undefined,
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['https://app.example/'],
      response_types: ['code'],
      scope: 'openid offline_access',
    }),
  ],
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth', 'none'],
  scopes: ['openid', 'offline_access', 'read'],
  rotateRefreshToken: true,
  enabledJWA: { clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'] },
  ttl: { ClientCredentials: 600, AccessToken: 300 },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    mTLS: {
      enabled: true,
      tlsClientAuth: true,
      getCertificate: (context) => context.socket.getPeerX509Certificate?.(),
      certificateAuthorized: (context) => context.socket.authorized,
      certificateSubjectMatches: (context, property, expected) =>
        property === 'tls_client_auth_san_dns' &&
        context.socket.getPeerX509Certificate().subjectAltName === `DNS:${expected}`,
    },
  },
});

// What a user's login would have given
const grant = new provider.Grant({ clientId: 'public', accountId: 'joe' });
grant.addOIDCScope('openid offline_access');
const refreshToken = new provider.RefreshToken({
  client: await provider.Client.find('public'),
  accountId: 'joe',
  grantId: await grant.save(),
  gty: 'authorization_code',
  scope: 'openid offline_access',
});
writeFileSync(`${directory}/seed`, await refreshToken.save());

const read = (name) => readFileSync(`${directory}/${name}`);
const tls = { key: read('key.pem'), cert: read('cert.pem'), ca: read('ca.pem'), requestCert: true };
createTlsServer(tls, provider.callback()).listen(tlsPort, '127.0.0.1', () => {
  createServer(provider.callback()).listen(port, '127.0.0.1', () => console.log('ready'));
});

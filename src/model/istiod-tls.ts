/** Minor version of the first istiod that uses `tlsSettings` of a config source at all (istio PR 54427). */
export const istiodTlsMinor = 26;

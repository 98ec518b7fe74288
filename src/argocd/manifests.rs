//! Ready YAML for whoever sets Argo CD up, from the same constants as the program.

use super::sidecar;

/// The plugin's name: in the manifest, as its socket, and in each Application.
pub const PLUGIN: &str = "helm-keyring";

/// Where the plugin server looks for its manifest.
const PLUGIN_FILE: &str = "/home/argocd/cmp-server/config/plugin.yaml";
/// The image that `deploy/argocd/Containerfile` builds.
const IMAGE: &str = concat!("helm-keyring:", env!("CARGO_PKG_VERSION"));
/// Argo CD's own user.
const USER: u32 = 999;

/// What can be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Manifest {
    /// The plugin's manifest
    Plugin,
    /// A patch of the repo-server's Deployment
    Sidecar,
    /// Values for the chart argo-cd
    Values,
    /// The sidecar's configuration, to be filled in
    Config,
    /// An Application
    Application,
}

impl Manifest {
    /// All of them, with their files in `deploy/argocd`.
    pub const ALL: [(Self, &str); 5] = [
        (Self::Plugin, "plugin.yaml"),
        (Self::Sidecar, "repo-server-patch.yaml"),
        (Self::Values, "values.yaml"),
        (Self::Config, "sidecar.yaml"),
        (Self::Application, "application.yaml"),
    ];

    /// The YAML.
    pub fn text(self) -> String {
        match self {
            Self::Plugin => plugin(),
            Self::Sidecar => patch(),
            Self::Values => values(),
            Self::Config => config(),
            Self::Application => application(),
        }
    }
}

/// No `version`, which every Application would have to name, and no `discover`, which would take all charts of the
/// instance over.
fn plugin() -> String {
    format!(
        "\
# The plugin's manifest, for {PLUGIN_FILE} in the sidecar.
# It has no `version`, which every Application would have to name, and no `discover`, which would hand every chart of
# this Argo CD to the plugin.
apiVersion: argoproj.io/v1alpha1
kind: ConfigManagementPlugin
metadata:
  name: {PLUGIN}
spec:
{}",
        indented(&spec(), 2)
    )
}

fn spec() -> String {
    format!(
        "\
generate:
  command: [{PLUGIN}, argocd, generate]
parameters:
  dynamic:
    command: [{PLUGIN}, argocd, parameters]
"
    )
}

fn patch() -> String {
    format!(
        "\
# The sidecar of the repo-server: a patch for the Deployment of Argo CD's own manifests, as in kustomization.yaml.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: argocd-repo-server
spec:
  template:
    spec:
      containers:
{}      volumes:
{}",
        indented(&container("helm-keyring-plugin"), 8),
        indented(&volumes("helm-keyring-plugin"), 8)
    )
}

fn values() -> String {
    format!(
        "\
# Values for the chart argo-cd of argo-helm. The ConfigMap {SIDECAR_CONFIG} holds sidecar.yaml; you make it.
configs:
  cmp:
    create: true
    plugins:
      {PLUGIN}:
{}repoServer:
  extraContainers:
{}  volumes:
{}",
        indented(&spec(), 8),
        indented(&container(CMP_CONFIG), 4),
        indented(&volumes(CMP_CONFIG), 4)
    )
}

/// The ConfigMap that holds the sidecar's configuration.
const SIDECAR_CONFIG: &str = "helm-keyring-sidecar";
/// The ConfigMap into which the chart argo-cd writes `configs.cmp.plugins`, each as NAME.yaml.
const CMP_CONFIG: &str = "argocd-cmp-cm";

fn container(plugin: &str) -> String {
    let key = plugin_key(plugin);
    let folder = sidecar::FILE.rsplit_once('/').map_or(sidecar::FILE, |(folder, _)| folder);
    let homes = ["cache", "config", "data"]
        .map(|name| format!("{{name: HELM_{}_HOME, value: /tmp/helm/{name}}}", name.to_uppercase()));
    let [cache, config, data] = homes;
    format!(
        "\
- name: {PLUGIN}
  image: {IMAGE}  # deploy/argocd/Containerfile builds it; name your registry
  command: [/var/run/argocd/argocd-cmp-server]
  # Never with `--loglevel debug` or `trace`: Argo CD would log what the plugin prints, keys included.
  args: [--loglevel, info]
  env:
    - {cache}
    - {config}
    - {data}
  securityContext:
    runAsNonRoot: true
    runAsUser: {USER}
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {{drop: [ALL]}}
    seccompProfile: {{type: RuntimeDefault}}
  resources:
    requests: {{cpu: 50m, memory: 128Mi}}
    limits: {{memory: 512Mi}}
  volumeMounts:
    - {{name: var-files, mountPath: /var/run/argocd}}
    - {{name: plugins, mountPath: /home/argocd/cmp-server/plugins}}
    - {{name: helm-keyring-plugin, mountPath: {PLUGIN_FILE}, subPath: {key}}}
    - {{name: helm-keyring-sidecar, mountPath: {folder}}}
    - {{name: helm-keyring-token, mountPath: /var/run/secrets/helm-keyring}}
    - {{name: helm-keyring-tmp, mountPath: /tmp}}  # its own: not the repo-server's
"
    )
}

/// The token is for the login `kubernetes` of Vault or OpenBao; the repo-server itself has none.
fn volumes(plugin: &str) -> String {
    format!(
        "\
- name: helm-keyring-plugin
  configMap: {{name: {plugin}}}
- name: helm-keyring-sidecar
  configMap: {{name: {SIDECAR_CONFIG}}}
- name: helm-keyring-token
  projected:
    sources:
      - serviceAccountToken: {{path: token, audience: vault, expirationSeconds: 3600}}
- name: helm-keyring-tmp
  emptyDir: {{}}
"
    )
}

fn plugin_key(plugin: &str) -> String {
    if plugin == CMP_CONFIG { format!("{PLUGIN}.yaml") } else { "plugin.yaml".to_owned() }
}

fn config() -> String {
    format!(
        "\
# The sidecar's configuration, mounted as {}.
# It alone says where keys come from and who may use which: what a repository says of sources counts for nothing.
apiVersion: helm-keyring/v1
kind: Sidecar
grants:
  - projects: [observability]       # projects of Argo CD
    namespaces: [obs]               # namespaces of the destination
    keyrings: [lightrun]            # as keyring.yaml names them
    environments: [production]
    source:
      vault:
        address: https://vault.example.com:8200
        path: secret/{{project}}/{{keyring}}
        auth: {{kubernetes: {{role: argocd-helm-keyring, tokenFile: /var/run/secrets/helm-keyring/token}}}}
    # Where the External Secrets Operator runs: no key passes through Argo CD, and the login above is not needed.
    # emit: ExternalSecret
    # secretStore: {{name: vault, kind: ClusterSecretStore}}
",
        sidecar::FILE
    )
}

fn application() -> String {
    format!(
        "\
# An Application whose chart gets its keys from the plugin.
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: obs
  namespace: argocd
spec:
  project: observability
  destination: {{server: https://kubernetes.default.svc, namespace: obs}}
  source:
    repoURL: https://git.example.com/platform/apps.git
    targetRevision: main
    path: apps/obs
    plugin:
      name: {PLUGIN}
      parameters:
        - {{name: environment, string: production}}
        - {{name: values-files, array: [values-production.yaml]}}
"
    )
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{:by$}{line}\n", "")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_GOLDEN=1 cargo test` writes them anew.
    #[test]
    fn the_files_of_the_deployment_are_these() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/argocd");
        for (manifest, file) in Manifest::ALL {
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::write(folder.join(file), manifest.text()).unwrap();
            }
            let golden = std::fs::read_to_string(folder.join(file)).unwrap();
            assert_eq!(manifest.text(), golden, "{file}");
            crate::yaml::Value::parse(&golden, 0).unwrap_or_else(|error| panic!("{file}: {error}"));
        }
    }
}

package peers;

import com.alibaba.nacos.auth.AuthManager;
import com.alibaba.nacos.core.code.ControllerMethodsCache;
import java.lang.reflect.Proxy;
import javax.annotation.PostConstruct;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.web.servlet.ServletComponentScan;
import org.springframework.context.annotation.Bean;
import org.springframework.scheduling.annotation.EnableScheduling;

/** Starts Nacos' own parts; what its console module does besides the console. */
@SpringBootApplication(
    scanBasePackages = "com.alibaba.nacos",
    excludeName = {
      "org.springframework.boot.autoconfigure.jdbc.DataSourceAutoConfiguration",
      "org.springframework.boot.autoconfigure.security.servlet.SecurityAutoConfiguration",
      "org.springframework.boot.autoconfigure.security.servlet.UserDetailsServiceAutoConfiguration",
      "org.springframework.boot.actuate.autoconfigure.security.servlet.ManagementWebSecurityAutoConfiguration"
    })
@ServletComponentScan("com.alibaba.nacos")
@EnableScheduling
public class NacosServer {
  public static void main(String[] args) {
    SpringApplication.run(NacosServer.class, args);
  }

  @Autowired private ControllerMethodsCache methods;

  @PostConstruct
  void findControllers() {
    methods.initClassMethod("com.alibaba.nacos.core.controller");
    methods.initClassMethod("com.alibaba.nacos.naming.controllers");
  }

  /** Nobody logs in here: authentication is off, and only its bean has to be there. */
  @Bean
  AuthManager authManager() {
    Class<?>[] type = {AuthManager.class};
    return (AuthManager) Proxy.newProxyInstance(type[0].getClassLoader(), type, (proxy, method, arguments) -> null);
  }
}
